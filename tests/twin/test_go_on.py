"""What a run that did not reach its end says about going on."""

from __future__ import annotations

import mini
import pytest
import sixth

import twin
from twin import report
from twin.simulation import Simulation


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
