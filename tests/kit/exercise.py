"""The two row houses with a list of events, as an exercise has one."""

from __future__ import annotations

from pathlib import Path

import mini

HEADERS = "id,scenario time,type,from,to,message en,message zh,expected,action,when,controller\n"
LIST = (
    HEADERS
    + '''\
M1,21:33,contextual,Control room,Caretaker,It is cold outside.,外面很冷。,,,,Li Wei
M2,T+5 min,contextual,,,A heater fails.,,,"heat.heat room=R0 p=""0 kW""; heat.heat room=[R2, R3] p=""0.5 kW""",,Li Wei
M3,21:36,expected action,,Caretaker,Residents call.,,heat.heat room=R1 within 6 min,,,
M4,21:36,expected action,,Caretaker,Residents call again.,,heat.cold,,,
M5,,contingency,,,It freezes.,,,heat.heat room=R0 p="9 kW",heat.temperature_degc['R2'] < 17.7 degC for 30 s,Wang
M6,T+10 min,contingency,,,A window breaks.,,,heat.heat room=R3 p="0 kW",,
'''
)


def write(folder: Path, text: str = LIST, **rest: str) -> Path:
    """Write the two row houses with a list; return the scenario's file."""
    file = mini.write(folder, scenario=mini.SCENARIO + "msel: lists/one.csv\n", **rest)
    (folder / "lists").mkdir(exist_ok=True)
    (folder / "lists" / "one.csv").write_text(text, encoding="utf-8-sig")
    return file
