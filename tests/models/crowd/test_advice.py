"""What is asked by telephone reaches a share, and only that share heeds it."""

from __future__ import annotations

import numpy as np
import pytest

from models.crowd import Crowd
from models.crowd.advice import Advice
from models.crowd.decide import LEAVING, SEATED
from twin.inline import Inline

SHARE = 0.6


def venue(folder, share: float, verb: str = "", **arguments) -> Crowd:
    """Run the demo's sixty people, who would sit for ten minutes, for three with a share of alerted people."""
    folder.mkdir(exist_ok=True)
    setup = Crowd.demo(folder)
    setup = type(setup)(**{**setup.__dict__, "options": {**setup.options, "ends": "+10 min"}})
    host = Inline(Crowd(setup))
    host.start_open(None)
    host.start_solve()
    host.model.alerted_share = share
    if verb:
        host.start_advance(0, [(verb, arguments)], {})
    for stop in range(30, 181, 30):
        host.start_advance(stop, (), {})
        host.start_solve()
    return host.model


def test_only_those_whom_an_alert_has_reached_leave_their_seats(tmp_path):
    area = Crowd(Crowd.demo(tmp_path)).network.sectors[0].area
    quiet, some, every = (
        venue(tmp_path / name, share, verb, **({"area": area} if verb else {}))
        for name, share, verb in (("quiet", 1.0, ""), ("some", SHARE, "advise"), ("all", 1.0, "advise"))
    )
    assert quiet.seated.sum() == 60, "without advice nobody moves before the end"
    assert quiet.told[0] == 0
    assert every.seated.sum() < 6, "news reaches a few only after three minutes"
    assert some.told[0] == pytest.approx(60 * SHARE, abs=12), "among some thirty groups the share is kept to within one deviation or two"
    assert 60 - some.told[0] <= some.seated.sum() < 60 - 0.8 * some.told[0] + 6


def test_an_advised_area_is_out_of_question_only_for_those_who_know():
    from models.crowd.decide import Outlook

    advice = Advice(3, 2, 4, [1])
    seen = Outlook(np.zeros((1, 2)), np.ones((2, 3)), np.array([5.0, 9.0]), np.array([1.0, 2.0, 0.0]))
    advice.areas[1] = advice.gates[0] = True
    known = advice.outlook(seen, np.array([1, 2, -1]))
    assert known.wait_s.tolist() == [np.inf, 2.0, 0.0], "-1 is no area"
    assert known.gate_s.tolist() == [np.inf, 9.0]
    assert seen.wait_s.tolist() == [1.0, 2.0, 0.0]
    advice.gates[1] = True
    assert advice.outlook(seen, np.array([1, 2, -1])).gate_s.tolist() == [5.0, 9.0], "when all gates are to be avoided one must be taken"


def test_who_knows_keeps_knowing_until_nothing_is_asked(tmp_path):
    groups = venue(tmp_path, 0.0).evening.groups
    advice = Advice(2, 1, len(groups), [7])
    advice.areas[0] = True
    where = np.zeros(len(groups), int)
    shares = [np.array([share, 0.0]) for share in (0.3, 0.8, 0.5)]
    told = []
    for share in shares:
        advice.spread(groups, where, share, where, 0)
        told.append(advice.told.copy())
    assert 0 < told[0].sum() < told[1].sum() < len(groups)
    assert (told[1] >= told[0]).all() and (told[2] == told[1]).all()
    assert (groups.state == SEATED).all() and not (groups.state == LEAVING).any()
    advice.take_back()
    assert advice.told.any(), "an area is still advised"
    advice.areas[0] = False
    advice.take_back()
    assert not advice.told.any()
