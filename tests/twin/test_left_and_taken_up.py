"""What of a run is carried over when it is left and taken up, or branched: everything; and what is refused, in one line."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import mini
import pytest
import sixth

import twin
from twin import checkpoint, claim
from twin.errors import InputError, StorageError
from twin.recorder import Recorder
from twin.rehearse import to_the_end
from twin.simulation import Simulation
from twin.storage import digest

EVERY_S = 240


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    sixth.register(monkeypatch)


@pytest.fixture
def scenario(tmp_path):
    return twin.load(mini.write(tmp_path))


@pytest.fixture
def whole(scenario, tmp_path) -> Path:
    return twin.simulate(scenario, tmp_path / "whole", checkpoint_every_s=EVERY_S).path


def left(scenario, out: Path, until_s: int = 700, **rest) -> Path:
    with Simulation(scenario, out, checkpoint_every_s=EVERY_S, **rest) as simulation:
        simulation.until(until_s)
    return out


def test_a_run_is_written_by_one_process_at_a_time(scenario, whole, tmp_path):
    out = left(scenario, tmp_path / "out")
    with Simulation.resume(out) as one:
        one.until(800)
        with pytest.raises(InputError, match="another process is writing this run"), Simulation.resume(out):
            pytest.fail("two write one run")
        with pytest.raises(InputError, match="exists already"):
            Simulation(scenario, out)
        assert (out / "scratch").is_dir(), "the one that was refused took nothing away"
        one.until(1200)
    assert digest(out) == digest(whole)


def test_one_that_was_read_before_another_went_on_is_refused(scenario, whole, tmp_path):
    out = left(scenario, tmp_path / "out")
    late = Simulation.resume(out)
    twin.resume(out)
    with pytest.raises(InputError, match="another process went on with this run just now"), late:
        pytest.fail("it would run again what is finished")
    assert twin.open_run(out).status == "done" and digest(out) == digest(whole)


@pytest.mark.parametrize("harm", ["truncated", "flipped", "another format", "gone", "not its own"])
def test_a_damaged_state_is_named_and_an_earlier_one_taken(scenario, whole, tmp_path, caplog, harm):
    out = left(scenario, tmp_path / "out")
    assert checkpoint.moments_s(out) == [240, 480]
    last = checkpoint.path_of(out, 480)
    held = bytearray(last.read_bytes())
    if harm == "truncated":
        last.write_bytes(held[: len(held) // 2])
    elif harm == "flipped":
        held[len(held) // 3] ^= 0xFF
        last.write_bytes(held)
    elif harm == "another format":
        from twin import plaindata

        before, plaindata.FORMAT = plaindata.FORMAT, 99
        try:
            plaindata.write(last, {})
        finally:
            plaindata.FORMAT = before
    elif harm == "not its own":
        from twin import plaindata

        plaindata.write(last, {"other": 1})
    else:
        last.unlink()
    with caplog.at_level(logging.WARNING), Simulation.resume(out) as simulation:
        assert simulation.now_s == 240
        simulation.until(1200)
    said = [record.getMessage() for record in caplog.records]
    if harm == "gone":
        assert said == []
    else:
        (line,) = said
        assert str(last) in line and line.endswith("going on from an earlier moment") and "\n" not in line
    assert digest(out) == digest(whole)


def test_without_any_whole_state_a_run_begins_again_and_says_so(scenario, whole, tmp_path, caplog):
    out = left(scenario, tmp_path / "out")
    for t_s in checkpoint.moments_s(out):
        checkpoint.path_of(out, t_s).write_bytes(b"PK torn")
    with caplog.at_level(logging.WARNING):
        assert digest(twin.resume(out).path) == digest(whole)
    assert len(caplog.records) == 2


def test_a_state_that_does_not_fit_is_named_with_what_to_do(scenario, tmp_path):
    from twin import plaindata

    out = left(scenario, tmp_path / "out")
    last = checkpoint.path_of(out, 480)
    state = plaindata.read(last)
    del state["world"]["nodes"]["heat"]
    plaindata.write(last, state)
    with pytest.raises(StorageError, match=r"00000480\.state: does not fit this run .* remove it to go on") as caught:
        twin.resume(out)
    assert "\n" not in str(caught.value)


def lively(scenario, out: Path, until_s: int = 1200) -> Path:
    """Run with three things done by hand: before, in and after the second of the checkpoint at 480 s."""
    with Simulation(scenario, out, checkpoint_every_s=EVERY_S) as simulation:
        for second, power_kw in ((301, 2.0), (480, 3.5), (655, 0.25)):
            if second <= until_s:
                simulation.until(second)
                simulation.do("heat.heat", room="R2", p=f"{power_kw} kW")
        simulation.until(until_s)
    return out


def test_what_was_done_by_hand_is_done_again_at_its_second(scenario, whole, tmp_path):
    goal = lively(scenario, tmp_path / "goal")
    assert digest(goal) != digest(whole)
    out = lively(scenario, tmp_path / "out", 700)
    for until_s in (500, 660):  # a resume of a resume, left before and after what is still to be done again
        with Simulation.resume(out) as simulation:
            assert simulation.now_s == 480
            with pytest.raises(InputError, match=r"what was done by hand before is done again first, heat\.heat at 655 s"):
                simulation.do("heat.heat", room="R0", p="1 kW")
            simulation.until(until_s)
    twin.resume(out)
    assert digest(out) == digest(goal)
    done = twin.open_run(out).manifest["live"]
    assert done == twin.open_run(goal).manifest["live"] and [one["at_s"] for one in done] == [301, 480, 655]


def test_a_branch_has_what_was_done_by_hand_before_it_and_not_what_came_later(scenario, tmp_path):
    run = lively(scenario, tmp_path / "run")
    for at_s, kept in ((470, [301]), (480, [301]), (600, [301, 480]), (655, [301, 480])):
        other = twin.branch(run, at_s, out=tmp_path / f"b{at_s}")
        rows = other.events[other.events["source"] == "live"]
        assert list(rows["t_seen_s"]) == kept == [one["at_s"] for one in other.manifest["live"]]
        with Simulation(scenario, tmp_path / f"d{at_s}") as direct:
            for second, power_kw in ((301, 2.0), (480, 3.5)):
                if second in kept:
                    direct.until(second)
                    direct.do("heat.heat", room="R2", p=f"{power_kw} kW")
            direct.until(1200)
        assert other.digest == digest(direct.folder)


def test_a_branch_may_have_a_section_more_or_less_than_its_past(scenario, tmp_path):
    def quiet(scenario):
        raw = scenario.raw()
        return scenario.with_(timeline=None) if "timeline" in raw else scenario

    later = {"late": {"at": "+15 min", "do": "cellar.heat", "room": "R0", "p_kw": 2}}
    bare = quiet(scenario)
    run = twin.simulate(bare, tmp_path / "bare", checkpoint_every_s=EVERY_S)
    more = bare.with_(timeline=later)
    assert twin.branch(run.path, 600, more, tmp_path / "more").digest == twin.simulate(more, tmp_path / "direct").digest
    back = twin.branch(tmp_path / "more", 600, bare, tmp_path / "less")
    assert back.digest == run.digest


def test_branches_from_the_ends_and_of_branches_are_the_run_itself(scenario, whole, tmp_path):
    for at_s in (0, 1, 240, 1199, 1200):
        assert twin.branch(whole, at_s, out=tmp_path / f"b{at_s}").digest == digest(whole)
    for at_s, began_s in ((900, 720), (100, 0)):
        with Simulation.branch(tmp_path / "b1199", at_s, out=tmp_path / f"bb{at_s}") as again:
            assert again.now_s in (began_s, 0), "a branch keeps the one state it began from, and those of its own"
            again.until(1200)
        assert digest(again.folder) == digest(whole)


def test_a_branch_outside_its_run_is_refused_and_leaves_nothing(scenario, tmp_path):
    out = left(scenario, tmp_path / "out")
    for at in (720, "+15 min", -1):
        with pytest.raises(InputError, match="is outside the run: recorded from"):
            Simulation.branch(out, at, out=tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_a_branch_that_is_cut_short_shows_its_past_alone_and_goes_on_from_it(scenario, whole, tmp_path, monkeypatch):
    def end(*_, **__):
        raise KeyboardInterrupt

    out = tmp_path / "cut"
    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "resume", end)
        with pytest.raises(KeyboardInterrupt):
            twin.branch(whole, 700, out=out)
    laid = twin.open_run(out)
    assert (laid.status, laid.committed_s) == ("unfinished", 480), "what its parent recorded later is none of it"
    assert checkpoint.moments_s(out) == [480]
    with Simulation.resume(out) as simulation:
        assert simulation.now_s == 480
        simulation.until(1200)
    assert digest(out) == digest(whole)


def test_times_are_those_of_all_sittings(scenario, whole, tmp_path):
    out = left(scenario, tmp_path / "out")
    before = twin.open_run(out).manifest
    speeds = []
    with Simulation.resume(out, watch=lambda progress: speeds.append(progress.speed)) as simulation:
        assert simulation.now_s == 480
        simulation._last_watch = 0.0
        simulation._say("running")
        assert speeds[-1] == 0.0, "nothing is simulated yet in this sitting, whatever the clock shows"
        simulation.until(1200)
    run, goal = twin.open_run(out), twin.open_run(whole)
    assert run.manifest["simulated_s"] == goal.manifest["simulated_s"] == 1200
    assert before["simulated_s"] == 700 and run.manifest["wall_s"] > 0
    for count in ("advances", "solves"):
        assert list(run.timing[count]) == list(goal.timing[count])
    assert run.manifest["settles"] == goal.manifest["settles"]
    assert run.ledger.equals(goal.ledger)


def test_a_resume_keeps_the_hosts_and_checks_of_its_run(scenario, tmp_path):
    out = left(scenario, tmp_path / "out", hosts="process", check=True)
    with Simulation.resume(out) as simulation:
        assert {node.host.kind for node in simulation.orchestrator.nodes} == {"process"} and simulation.orchestrator.check
    with Simulation.resume(out, hosts="inline") as simulation:
        simulation.until(1200)
    assert set(twin.open_run(out).manifest["hosts"].values()) == {"inline"}


def test_a_run_says_that_it_is_over_and_what_came_of_it_in_one_move(scenario, tmp_path, monkeypatch):
    said, write = [], Recorder._write_manifest

    def hear(recorder):
        write(recorder)
        said.append((recorder.manifest["status"], len(recorder.manifest.get("kpis", ()))))

    monkeypatch.setattr(Recorder, "_write_manifest", hear)
    twin.simulate(scenario, tmp_path / "out")
    assert said[-1] == ("done", 1) and {status for status, _ in said[:-1]} == {"running"}


def test_a_folder_in_which_a_run_never_began_is_used_again(scenario, whole, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def end(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Recorder, "_write_manifest", end)
        with pytest.raises(KeyboardInterrupt):
            twin.simulate(scenario, out)
    assert claim.never_began(out) and (out / "fields.zarr").exists()
    with pytest.raises(InputError, match="was ended before anything was recorded; run its scenario again into the same folder"):
        Simulation.resume(out)
    assert twin.simulate(scenario, out).digest == digest(whole)
    assert not (out / claim.BEGINNING).exists()


def test_a_folder_of_somebody_else_is_never_cleared(scenario, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "scenario.yaml").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        Simulation(scenario, out)
    assert (out / "scenario.yaml").read_text() == "mine"


def test_the_package_of_a_model_must_be_as_it_was(scenario, tmp_path):
    out = left(scenario, tmp_path / "out")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["versions"]["sixth-domain"] == "1.0"
    manifest["versions"]["sixth-domain"] = "0.9"
    (out / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"was made with sixth-domain 0\.9, and this is 1\.0"):
        Simulation.resume(out)


def test_a_resume_that_is_left_again_and_again_ends_the_same(scenario, whole, tmp_path):
    out = left(scenario, tmp_path / "out", 10)
    for until_s in (250, 100, 500, 490, 1190):
        with Simulation.resume(out) as simulation:
            simulation.until(max(until_s, simulation.now_s))
    assert to_the_end(Simulation.resume(out)).result().digest == digest(whole)
