"""A scenario based on another: what differs, where each key is written, and what is refused."""

import json

import mini
import pytest

import twin
from twin.errors import InputError
from twin.scenario import read
from twin.storage import digests


@pytest.fixture
def base(tmp_path, monkeypatch):
    import sixth

    sixth.register(monkeypatch)
    return mini.write(tmp_path)


def variant(base, text, folder="reduced"):
    path = base.parent / folder / "variant.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"based_on: {'../' if folder != '.' else ''}{base.name}\n{text}")
    return path


def test_what_is_not_said_is_as_in_the_other_file(base):
    plain, changed = twin.load(base), twin.load(variant(base, "seed: 9\nduration: 18 min\n"))
    assert (changed.seed, changed.duration) == (9, 1080)
    assert changed.name == plain.name and changed.models == plain.models and changed.drivers == plain.drivers
    assert changed.city_folder == plain.city_folder, "the city is where the other file says it is"


def test_its_run_keeps_it_whole_and_goes_on(base, tmp_path):
    changed = twin.load(variant(base, "duration: 18 min\n"))
    run = twin.simulate(changed, tmp_path / "run")
    assert "based_on" not in (tmp_path / "run" / "scenario.yaml").read_text()
    same = twin.simulate(twin.load(base).with_(duration="18 min"), tmp_path / "same")
    one, other = digests(run.path), digests(same.path)
    assert one.pop("scenario") != other.pop("scenario"), "the city's folder is said from another place"
    assert one == other


def test_a_mistake_is_said_of_the_file_that_makes_it(base):
    base.write_text(base.read_text() + "sead: 3\n")
    with pytest.raises(InputError) as caught:
        read(variant(base, "duration: 0 s\nmodels: {heat: {host: nowhere}}\n"))
    said = str(caught.value).splitlines()
    line = next(i for i, one in enumerate(base.read_text().splitlines(), 1) if one.startswith("sead"))
    assert any(one.startswith(f"{base}:{line}:") for one in said), said
    assert any("variant.yaml:3: models.heat.host" in one for one in said), said


def test_paths_in_sections_mean_what_they_mean_in_their_file(base):
    (base.parent / "plans").mkdir()
    (base.parent / "plans" / "one.yaml").write_text("title: x\n")
    base.write_text(base.read_text() + "triggers: {a: plans/one.yaml, b: plans/none.yaml}\n")
    changed = read(variant(base, "seed: 2\n"))
    assert changed.drivers["triggers"] == {"a": "../plans/one.yaml", "b": "plans/none.yaml"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("based_on: ../nothing.yaml\n", 1, "based_on: ../nothing.yaml: no such file in"),
        ("based_on: 3\n", 1, "based_on: write the file of another scenario"),
        ("based_on: variant.yaml\n", 1, "one of them must stand alone"),
        ("based_on: ../ring.yaml\n", 1, "one of them must stand alone"),
        ("based_on: ../mini.yaml\ntimeline:\n  nobody: null\n", 3, "timeline: no entry 'nobody'"),
    ],
)
def test_what_cannot_be_is_refused_in_its_line(base, text, line, said):
    path = variant(base, "")
    path.write_text(text)
    (base.parent / "ring.yaml").write_text("based_on: reduced/variant.yaml\n")
    with pytest.raises(InputError) as caught:
        read(path)
    (one,) = str(caught.value).splitlines()
    assert f".yaml:{line}: " in one and said in one


def test_the_schema_asks_for_either():
    whole = json.dumps(twin.scenario.schema()["anyOf"])
    assert '"based_on"' in whole and '"city"' in whole
