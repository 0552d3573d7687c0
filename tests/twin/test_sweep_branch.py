"""Sweeps whose variants branch off a kept run: the same bytes as run from the start, and the past on disk once."""

from __future__ import annotations

from pathlib import Path

import mini
import pytest
import sixth

import twin
from twin import experiment
from twin.errors import InputError
from twin.experiment import Sweep
from twin.storage import digest
from twin.sweep import read

VARY = {"timeline.late.room": ["R0", "R2"]}


@pytest.fixture(scope="module", autouse=True)
def heated():
    with pytest.MonkeyPatch.context() as patch:
        sixth.register(patch)
        yield


@pytest.fixture(scope="module")
def scenario(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("branched")
    return mini.write(folder, mini.SCENARIO.replace("record_every: 30 s", "record_every: 5 s\nseed: 7"))


@pytest.fixture(scope="module")
def kept(scenario) -> Path:
    twin.simulate(scenario, scenario.parent / "kept", checkpoint_every_s=300)
    return scenario.parent / "kept"


def test_variants_that_branch_off_a_run_are_those_run_from_the_start(scenario, kept):
    before = digest(kept)
    ds = Sweep(None, VARY, folder=scenario.parent / "swept", branch=(kept, "21:43")).run(workers=2)
    assert dict(ds.coldest.sizes) == {"timeline.late.room": 2, "seed": 1} and ds.seed.values.tolist() == [7]
    assert (ds.status == "done").all()
    for name, room in (("00000-7", "R0"), ("00001-7", "R2")):
        variant = scenario.parent / "swept" / "runs" / name
        alone = twin.simulate(twin.load(scenario).with_(timeline={"late": {"room": room}}), scenario.parent / f"alone-{room}")
        assert digest(variant) == alone.digest
        assert twin.open_run(variant).manifest["branched"]["at_s"] == 600, "the state before 21:43"
        shared = [path for path in variant.rglob("*") if path.is_file() and path.stat().st_nlink > 1]
        assert {path.relative_to(variant).parts[0] for path in shared} >= {"static", "fields.zarr"}
        assert all(path.samefile(kept / path.relative_to(variant)) for path in shared)
    assert digest(kept) == before


@pytest.mark.parametrize(
    ("vary", "seeds", "at", "said"),
    [
        (VARY, [1, 2], "21:43", "seeds: what branches off .* has its seed, 7; leave seeds out"),
        (VARY, None, "22:43", "is outside the run"),
        (VARY, None, "21:46", r"vary.timeline.late.room: 'R2': timeline.late: differs from .* before 21:46:00; only what comes later"),
        ({"models.heat.rooms": [4, 3]}, None, "21:43", "vary.models.heat.rooms: 3: models: is another than in"),
    ],
)
def test_a_variant_with_another_past_is_named_before_anything_runs(scenario, kept, vary, seeds, at, said):
    with pytest.raises(InputError, match=said):
        Sweep(None, vary, seeds, folder=scenario.parent / "never", branch=(kept, at)).run()
    assert not (scenario.parent / "never").exists()


def test_a_sweep_file_may_branch_off_a_run(scenario, kept):
    file = scenario.parent / "later.yaml"
    file.write_text('branch: {run: kept, at: "21:43"}\nvary: {timeline.late.room: [R0]}\n')
    said = read(file)
    assert said.scenario is None and said.branch == (kept, "21:43") and said.seeds is None
    sweep = Sweep(said.scenario, said.vary, said.seeds, branch=said.branch, folder=scenario.parent / "later")
    sweep.lay()
    kept.rename(kept.with_name("away"))
    try:
        with pytest.raises(InputError, match=r"branches off .*kept, which is not there; put it back to go on"):
            experiment.finish(sweep.folder)
    finally:
        kept.with_name("away").rename(kept)
    file.write_text("vary: {timeline.late.room: [R0]}\n")
    with pytest.raises(InputError, match="scenario: missing; name the scenario's file, or the run to branch off"):
        read(file)
