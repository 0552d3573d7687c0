import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import recorded

from twin import fields, recorder, storage
from twin.errors import StorageError
from twin.recorder import ModelSheet, PortSheet, Recorder
from twin.results import open_run
from twin.storage import digest, digests


def assert_is_the_town(folder: Path) -> int:
    """Every committed value equals what was written; return how many samples there are."""
    run = open_run(folder)
    for i, t_s in enumerate(run.times_s):
        for model, ports in recorded.arrays_at(int(t_s)).items():
            for name in recorded.SHEETS[model].recorded:
                kept = run.fields[model][name].values[i]
                np.testing.assert_array_equal(kept, ports[name].astype(kept.dtype))
    people = run.tracks("crowd")
    seconds = (people["time"].to_numpy() - run.time(0)) // np.timedelta64(1, "s")
    assert {int(t): int((seconds == t).sum()) for t in np.unique(seconds)} == {
        int(t): n for t in run.times_s if (n := len(recorded.people_at(int(t))))
    }
    assert run.events["t_seen_s"].tolist() == list(range(0, run.committed_s + 1, 60))
    return len(run.times_s)


def test_what_was_recorded_reads_back_equal(tmp_path):
    assert assert_is_the_town(recorded.record(tmp_path / "run")) == 61


def test_a_recording_has_the_files_the_design_names(tmp_path):
    folder = recorded.record(tmp_path / "run")
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"manifest.json", "scenario.yaml", "static/water.json", "static/water.npz", "fields.zarr/water/zarr.json"} <= names
    assert {"tracks/crowd/part-00000.parquet", "events/part-00000.parquet"} <= names
    assert not [name for name in names if name.endswith((".tmp", ".partial")) or "quality" in name or "demand_factor" in name]


def test_the_same_run_twice_gives_the_same_bytes_however_often_it_was_committed(tmp_path):
    first = recorded.record(tmp_path / "a")
    nervous = recorded.start(tmp_path / "elsewhere" / "b")
    for t_s in range(0, 601, 10):
        recorded.go_on(nervous, t_s, t_s)
        nervous.commit(t_s)
    nervous.finish("done")
    assert digests(first) == digests(tmp_path / "elsewhere" / "b")
    assert digest(first) == digest(tmp_path / "elsewhere" / "b")


def test_one_changed_value_changes_the_digest_of_its_part_only(tmp_path):
    first = digests(recorded.record(tmp_path / "a"))
    other = recorded.start(tmp_path / "b")
    for t_s in range(0, 601, 10):
        arrays = recorded.arrays_at(t_s)
        arrays["water"]["starts"][0] += t_s == 300
        if t_s % 60 == 0:
            other.event(recorded.event_at(t_s))
        other.sample(t_s, arrays)
        other.tracks(t_s, "crowd", recorded.people_at(t_s))
    other.finish("done")
    second = digests(tmp_path / "b")
    assert {part for part in first if first[part] != second[part]} == {"fields"}


def test_floats_are_kept_in_single_precision_and_switches_and_counts_as_they_are(tmp_path):
    run = open_run(recorded.record(tmp_path / "run"))
    assert {name: str(run.fields["water"][name].dtype) for name in run.fields["water"]} == {
        "pressure_m": "float32",
        "power_mw": "float32",
        "is_running": "bool",
        "starts": "int32",
    }
    whole = open_run(recorded.record(tmp_path / "double", float32=False))
    assert whole.fields["water"].pressure_m.dtype == np.float64


def test_the_end_is_sampled_also_when_it_is_no_multiple(tmp_path):
    town = recorded.start(tmp_path / "run", duration_s=25)
    for t_s in (0, 10, 20, 25):
        town.sample(t_s, recorded.arrays_at(t_s))
    town.finish("done")
    assert open_run(tmp_path / "run").times_s.tolist() == [0, 10, 20, 25]


def test_a_chunk_is_committed_when_time_goes_on_whatever_the_order_within_an_instant(tmp_path, monkeypatch):
    monkeypatch.setattr(fields, "CHUNK_SAMPLES", 3)
    town = recorded.start(tmp_path / "run")
    recorded.go_on(town, 0, 20)
    assert town.committed_s == -1
    town.event(recorded.event_at(20))
    town.event(recorded.event_at(21))
    assert town.committed_s == 20
    run = open_run(tmp_path / "run")
    assert run.status == "unfinished"
    assert run.events["t_seen_s"].tolist() == [0, 20]
    assert len(run.fields["water"].time) == 3


def test_a_sample_out_of_turn_or_without_a_port_is_refused(tmp_path):
    town = recorded.start(tmp_path / "run")
    with pytest.raises(ValueError, match="a sample at 10 s where the next is 0 s"):
        town.sample(10, recorded.arrays_at(10))
    arrays = recorded.arrays_at(0)
    del arrays["water"]["starts"]
    with pytest.raises(ValueError, match=r"lacks water\.starts"):
        town.sample(0, arrays)
    recorded.go_on(town).finish("done")
    with pytest.raises(ValueError, match="finished"):
        town.event(recorded.event_at(600))


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path):
    folder = recorded.record(tmp_path / "run")
    before = digest(folder)
    with pytest.raises(StorageError, match="holds a run already"):
        recorded.start(folder)
    assert digest(folder) == before


def test_a_model_name_cannot_lead_out_of_the_folder(tmp_path):
    sheet = ModelSheet("../evil", {}, {})
    with pytest.raises(StorageError, match="cannot name a model"):
        recorded.start(tmp_path / "run", models={"../evil": sheet})


def test_a_run_that_cannot_fit_is_refused_before_anything_is_written(tmp_path):
    # 1,000 samples of 10**9 float32 values are 4 TB
    big = ModelSheet("big", {"x": PortSheet("x", "e")}, {"e": _Huge(("e",))})
    with pytest.raises(StorageError, match=r"may take 400.\.\d\d GB"):
        recorded.start(tmp_path / "run", duration_s=9990, models={"big": big})
    assert not (tmp_path / "run").exists()


class _Huge(recorded.ElementSet):
    def __len__(self) -> int:
        return 10**9


def test_the_estimate_is_the_size_before_compression_and_no_less_than_what_was_written(tmp_path):
    # 61 samples of 3 pressures (f4), 2 powers (f4), 2 switches (1 byte), 2 counts (i4), 1 count of people (f4)
    needed = {"duration_s": 600, "record_every_s": 10, "events": 0}
    shapes = 16 * (3 + 2 + 3 + 3)
    assert Recorder.estimate_bytes(recorded.SHEETS, **needed) == 61 * (12 + 8 + 2 + 8 + 4) + shapes
    # a TRACK row is 26 bytes and its second 4
    with_people = Recorder.estimate_bytes(recorded.SHEETS, **needed, tracks_every_s=10, moving={"crowd": 20})
    assert with_people == 61 * 34 + shapes + 61 * 20 * 30


CHILD = """
import sys
sys.path.insert(0, {here!r})
import recorded
from pathlib import Path
from twin import fields
fields.CHUNK_SAMPLES = 4
town = recorded.start(Path(sys.argv[1]), duration_s=60000)
for t_s in range(0, 60001, 10):
    recorded.go_on(town, t_s, t_s)
    if t_s % 70 == 0:
        town.commit(t_s)
town.finish("done")
"""


def test_a_run_killed_at_any_moment_opens_cut_at_the_committed_second(tmp_path, monkeypatch):
    monkeypatch.setattr(fields, "CHUNK_SAMPLES", 4)
    pick = random.Random(5)
    cut = []
    for number in range(12):
        folder = tmp_path / str(number)
        child = subprocess.Popen([sys.executable, "-c", CHILD.format(here=str(Path(__file__).parent)), str(folder)])
        until_s = pick.choice([-1, pick.randrange(0, 2000)])
        while not (folder / "manifest.json").exists() or open_run(folder).committed_s < until_s:
            assert child.poll() is None
            time.sleep(0.001)
        time.sleep(pick.uniform(0.0, 0.05))
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        run = open_run(folder)
        assert run.status == "unfinished"
        assert run.manifest["committed_s"] < 60000
        cut.append(assert_is_the_town(folder))
    assert max(cut) > 4


def test_a_run_resumed_at_any_second_ends_with_the_bytes_of_one_that_never_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(fields, "CHUNK_SAMPLES", 7)
    whole = digests(recorded.record(tmp_path / "whole"))
    for at_s, until_s in ((0, 0), (60, 60), (60, 200), (120, 590), (200, 430), (600, 600)):
        folder = tmp_path / f"{at_s}-{until_s}"
        town = recorded.go_on(recorded.start(folder), 0, until_s)
        town.commit(until_s)
        again = Recorder.resume(folder, models=recorded.SHEETS, at_s=at_s)
        assert open_run(folder).committed_s == at_s
        recorded.go_on(again, at_s + 10, 600).finish("done")
        assert digests(folder) == whole
        assert_is_the_town(folder)


def test_a_checkpoint_later_than_the_record_cannot_be_resumed(tmp_path):
    town = recorded.go_on(recorded.start(tmp_path / "run"), 0, 100)
    town.commit(100)
    with pytest.raises(StorageError, match=r"recorded to 100 s, before the checkpoint at 200 s"):
        Recorder.resume(tmp_path / "run", models=recorded.SHEETS, at_s=200)


FULL = """
import sys
sys.path.insert(0, {here!r})
import recorded, resource
from pathlib import Path
from twin.errors import StorageError
import numpy as np
from twin.recorder import ModelSheet, PortSheet, Recorder
from twin.ports import ElementSet
from twin import fields
fields.CHUNK_SAMPLES = 4
sheet = ModelSheet("wide", {{"x": PortSheet("x", "e")}}, {{"e": ElementSet(tuple(map(str, range(20000))))}})
town = recorded.start(Path(sys.argv[1]), models={{"wide": sheet}})
rng = np.random.default_rng(1)
try:
    for t_s in range(0, 601, 10):
        if t_s == 100:
            resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
        town.sample(t_s, {{"wide": {{"x": rng.normal(size=20000)}}}})
except StorageError as error:
    print(error)
    try:
        town.finish("done")
    except StorageError:
        sys.exit(4)
"""


def test_a_disk_that_refuses_is_named_and_the_run_still_opens(tmp_path):
    # RLIMIT_FSIZE makes the kernel itself refuse the write (EFBIG), as a full disk does (ENOSPC)
    child = subprocess.run(
        [sys.executable, "-c", FULL.format(here=str(Path(__file__).parent)), str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 4, child.stderr
    assert child.stdout.count("\n") == 1
    assert f"{tmp_path / 'run' / 'fields.zarr' / 'wide' / 'x'}" in child.stdout
    run = open_run(tmp_path / "run")
    assert run.committed_s == 70
    assert run.status == "failed"
    assert "File too large" in run.manifest["error"]
    assert np.isfinite(run.fields["wide"].x.values).all()
    assert not list((tmp_path / "run").rglob("*.tmp"))


ENOSPC = """
import sys
sys.path.insert(0, {here!r})
import recorded
from pathlib import Path
from twin.errors import StorageError
from twin.results import open_run
town = recorded.start(Path({disk!r}) / "run", duration_s=60000)
recorded.go_on(town, 0, 100).commit(100)
try:
    with open({disk!r} + "/others", "wb") as file:
        while True:
            file.write(bytes(4096))
            file.flush()
except OSError:
    pass
try:
    recorded.go_on(town, 110, 60000)
except StorageError as error:
    print(error)
try:
    town.finish("done")
except StorageError as error:
    print(error)
print(open_run(town.folder).committed_s, len(open_run(town.folder).fields["water"].pressure_m.values), open_run(town.folder).status)
"""


def test_a_disk_that_others_filled_ends_the_recording_and_the_run_opens(tmp_path):
    code = ENOSPC.format(here=str(Path(__file__).parent), disk=str(tmp_path))
    room = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount -t tmpfs -o size=8m none "$0" && exec "$@"', str(tmp_path)]
    if not shutil.which("unshare") or subprocess.run([*room, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    child = subprocess.run([*room, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    first, _, last = child.stdout.strip().splitlines()
    assert "No space left on device" in first
    assert str(tmp_path / "run") in first
    assert last.split()[:2] == ["100", "11"]


def test_a_full_disk_becomes_a_storage_error(tmp_path, monkeypatch):
    town = recorded.go_on(recorded.start(tmp_path / "run"), 0, 100)
    town.commit(100)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    recorded.go_on(town, 110, 200)
    with pytest.raises(StorageError, match=r"run.*No space left on device"):
        town.commit(200)
    monkeypatch.undo()
    assert open_run(tmp_path / "run").committed_s == 100
    assert_is_the_town(tmp_path / "run")


def test_facts_are_canonical_json_whatever_they_were_given_as(tmp_path):
    town = recorded.start(tmp_path / "run")
    row = recorded.event_at(0)
    town.event(row | {"facts": {"b": np.float64(1.5), "a": float("nan"), "c": float("inf")}})
    town.event(row | {"facts": '{"b": 1.5,  "a": null, "c": "inf"}'})
    town.sample(0, recorded.arrays_at(0))
    town.finish("interrupted")
    import pyarrow.parquet as pq

    texts = pq.read_table(tmp_path / "run" / "events" / "part-00000.parquet")["facts"].to_pylist()
    assert texts == ['{"a":null,"b":1.5,"c":"inf"}'] * 2


def test_the_manifest_is_strict_json_and_says_how_the_run_ended(tmp_path):
    town = recorded.go_on(recorded.start(tmp_path / "run"), 0, 100)
    town.finish("failed", error="water (EPANET) at t=101 s: diverged", ledger=[{"what": "mass", "residual": float("nan")}])
    said = json.loads((tmp_path / "run" / "manifest.json").read_text(), parse_constant=pytest.fail)
    assert (said["status"], said["committed_s"], said["ledger"]) == ("failed", 100, [{"what": "mass", "residual": None}])
    with pytest.raises(ValueError, match="status 'fine'"):
        recorded.start(tmp_path / "other").finish("fine")


def test_importing_the_recorder_starts_no_heavy_library():
    code = "import sys, twin.recorder, twin.results; print([m for m in ('zarr', 'xarray', 'pandas', 'pyarrow') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_storage_and_recorder_agree_on_the_parts_of_a_digest(tmp_path):
    folder = recorded.record(tmp_path / "run")
    assert set(digests(folder)) == set(storage.PARTS)
    (folder / "manifest.json").write_text((folder / "manifest.json").read_text() + " ")
    assert json.loads((folder / "manifest.json").read_text())["format"] == recorder.FORMAT
