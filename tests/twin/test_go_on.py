"""What a run that did not reach its end says about going on."""

from __future__ import annotations

import errno
import subprocess
import sys

import demo_city
import mini
import pytest
import sixth

import twin
from twin import checkpoint, report
from twin.errors import StorageError
from twin.simulation import Simulation
from twin.storage import storing


@pytest.mark.parametrize(
    ("every_s", "said"), [(300, "goes on from its checkpoint of 21:35:00"), (0, "goes on from its start: it kept no checkpoint")]
)
def test_a_run_that_was_left_says_from_where_it_goes_on(tmp_path, monkeypatch, capsys, every_s, said):
    sixth.register(monkeypatch)
    with Simulation(mini.write(tmp_path), tmp_path / "left", checkpoint_every_s=every_s) as simulation:
        simulation.until("+7 min")
    report.show(twin.open_run(tmp_path / "left"))
    assert f"`twin resume {tmp_path / 'left'}` {said}" in capsys.readouterr().out.replace("\n", "")


def test_a_finished_run_says_nothing_of_going_on(tmp_path, monkeypatch, capsys):
    sixth.register(monkeypatch)
    twin.simulate(mini.write(tmp_path), tmp_path / "whole", checkpoint_every_s=300)
    report.show(twin.open_run(tmp_path / "whole"))
    assert "goes on" not in capsys.readouterr().out


def test_what_others_wrote_is_printed_as_it_stands(tmp_path, monkeypatch, capsys):
    """A label, a title, an error or a folder may hold what a terminal's library would take for its own marks."""
    sixth.register(monkeypatch)
    out = tmp_path / "run[a]"
    twin.simulate(mini.write(tmp_path), out)
    run = twin.open_run(out)
    run.manifest["kpis"][0]["label"] = "Wait [min] of [/]"
    run.manifest["error"] = "net['x[/bus]'] [red]"
    report.show(run)
    said = capsys.readouterr().out
    assert "Wait [min] of [/]" in said
    assert "net['x[/bus]'] [red]" in said
    assert f"{out}" in said.replace("\n", "")


@pytest.fixture
def left(tmp_path, monkeypatch):
    """A run that was left at minute 7 with a checkpoint of minute 5, and the file it was made from."""
    sixth.register(monkeypatch)
    file = mini.write(tmp_path)
    with Simulation(file, tmp_path / "left", checkpoint_every_s=300, check=True) as simulation:
        simulation.until("+7 min")
    return tmp_path / "left", file


def test_any_one_flipped_byte_of_a_state_is_passed_over_or_harmless(left, caplog):
    out, _ = left
    file = checkpoint.path_of(out, 300)
    whole, past = file.read_bytes(), checkpoint.Past(twin.open_run(out), 420, own=True)
    state = repr(past.taken_up().state)
    for at in range(len(whole)):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        found = past.taken_up()
        assert found.t_s == -1 or repr(found.state) == state, f"byte {at} changed the state unseen"


def test_a_resume_says_that_the_scenario_s_file_is_another_now(left, caplog):
    out, file = left
    file.write_text(file.read_text().replace("p: 4 kW", "p: 5 kW"))
    with Simulation.resume(out) as simulation:
        simulation.until(1200)
    assert f"{file}: has changed since the run was made, which goes on with the scenario as it was" in caplog.text


def test_a_branch_keeps_checkpoints_and_accounts_as_its_run_did_unless_told_otherwise(left):
    out, _ = left
    for rest, kept in ({}, (300, True)), ({"checkpoint_every_s": 60, "check": False}, (60, False)):
        with Simulation.branch(out, "+6 min", out=out.with_name(f"b{kept[0]}"), **rest) as simulation:
            simulation.until(1200)
        manifest = twin.open_run(out.with_name(f"b{kept[0]}")).manifest
        assert (manifest["checkpoint_every_s"], manifest["check"]) == kept
        report.show(twin.open_run(out.with_name(f"b{kept[0]}")))


def test_a_branch_and_a_restart_are_told(left, capsys):
    out, _ = left
    run = twin.open_run(out)
    run.manifest["branched"] = {"run": "runs/[kept]", "at_s": 300}
    run.manifest["restarts"] = [{"at_s": 360, "why": "heat (numpy): its process ended by signal 9"}]
    report.show(run)
    said = capsys.readouterr().out
    assert "branched off runs/[kept] at 21:35:00" in said
    assert "went on from a checkpoint after 21:36:00: heat (numpy)" in said.replace("\n", " ")


def twin_says(*words: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-m", "twin.cli", *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("every", ["-5min", "0s", "5"])
def test_a_checkpoint_cannot_be_kept_more_often_than_each_second(tmp_path, every):
    file = demo_city.write(tmp_path)
    code, said = twin_says("run", str(file), f"--checkpoint-every={every}", "--out", str(tmp_path / "run"))
    assert code == 2 and said.startswith(f"--checkpoint-every {every}: ") and said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_digest_of_a_run_that_is_not_whole_says_so(left, capsys):
    from twin.cli import hash_

    out, _ = left
    hash_(out)
    assert capsys.readouterr().err == f"{out}: is interrupted; this is the digest of what it holds so far\n"
    (out / "manifest.json").write_text("{")
    with pytest.raises(StorageError, match="is damaged"):
        hash_(out)


def test_a_copy_that_fails_names_what_could_not_be_written(tmp_path):
    (tmp_path / "from").write_text("x")
    with pytest.raises(StorageError, match=r"there/to: cannot be written"), storing(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "from"), None, str(tmp_path / "there" / "to"))
