"""A master scenario events list (HSEEP) as a table: its columns, and its rows as named entries of a scenario."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenarios import msel_sheet
from twin.errors import InputError, Problem, nearest
from twin.layered import READ

COLUMNS = {
    "id": "",
    "scenario time": "at",
    "wall time": "wall_time",
    "type": "type",
    "from": "sender",
    "to": "receiver",
    "method": "method",
    "message en": "message_en",
    "message zh": "message_zh",
    "objective": "objective",
    "core capability": "core_capability",
    "expected action": "expected_action",
    "expected": "expected",
    "action": "action",
    "when": "when",
    "controller": "controller",
    "actual": "",
    "status": "",
    "notes": "notes",
}
"""The columns of a list in their order, and what an entry calls each: `actual` and `status` are what comes of a run."""

KEYS = {key: name for name, key in COLUMNS.items() if key} | {READ: "row"}
"""What an entry may say, and the column that says it; `read` is where it was written (`../msel/s04.csv:7`)."""

TYPES = ("contextual", "expected action", "contingency")

ALIASES = {
    "编号": "id",
    "序号": "id",
    "情景时间": "scenario time",
    "实际时刻": "wall time",
    "类型": "type",
    "发送方": "from",
    "接收方": "to",
    "方式": "method",
    "message": "message en",
    "英文信息": "message en",
    "中文信息": "message zh",
    "信息": "message zh",
    "目标": "objective",
    "核心能力": "core capability",
    "预期行动": "expected action",
    "判据": "expected",
    "动作": "action",
    "条件": "when",
    "控制员": "controller",
    "执行时间": "actual",
    "状态": "status",
    "备注": "notes",
}
"""Other headers that are understood, above all those of a Chinese list."""

CHINESE_TYPES = {"背景": "contextual", "预期行动": "expected action", "备用": "contingency"}

_ID = re.compile(r"\w[\w-]{0,39}")
_SINCE = re.compile(r"[Tt]\s*\+\s*(.+)")
_HOURS = re.compile(r"(\d{1,3}):(\d{2})(?::(\d{2}))?")
MOST_VALUES, MOST_LETTERS = 12_000, 500_000
"""So much a scenario's file can hold besides what else it says (`twin.yamlfile`)."""

EXAMPLE = (
    {"id": "M1", "scenario time": "T+5 min", "type": "contextual", "from": "Control room", "to": "Water Group", "method": "radio"}
    | {"message en": "Pressure falls in ward 9.", "message zh": "九区水压下降。", "controller": "Controller 1"},
    {"id": "M2", "scenario time": "T+8 min", "type": "expected action", "to": "Water Group", "message en": "Residents report water."}
    | {"expected action": "Close the valves round the burst.", "expected": "water.isolate pipe=P100 within 30 min"},
    {"id": "M3", "type": "contingency", "message en": "A second pipe bursts.", "when": "min(water.pressure_m) > 20 m for 10 min"}
    | {"action": 'water.burst pipe=P101 area="100 cm2"', "notes": "Only when it goes too well."},
)
"""What a template shows; its elements are another city's."""


def read(path: Path, said: str) -> dict[str, dict[str, str]]:
    """Return a list's rows by id, as a scenario's section `msel:` holds them; `said` is how the scenario names the file.

    InputError, one line each with its row: see `msel_sheet.read`; a column that is missing, unknown or there twice; a row
    without an id, with one that cannot be, or one that was there before; more than a scenario's file can hold.
    """
    (top, headers), *lines = msel_sheet.read(path)
    problems: list[Problem] = []
    columns = _columns(headers, Problems(problems, path, top))
    if problems:
        raise InputError(problems)
    entries: dict[str, dict[str, str]] = {}
    rows: dict[str, int] = {}
    for number, cells in lines:
        row = Problems(problems, path, number)
        filled = {column: text for column, text in zip(columns, cells, strict=False) if text}
        name = filled.get("id", "")
        if not name:
            row.say("column 'id': is empty; give every row an id of its own, for example M7")
        elif not _ID.fullmatch(name):
            row.say(f"column 'id': '{name[:60]}': write up to 40 letters, digits, '_' and '-', for example M7")
        elif name in entries:
            row.say(f"column 'id': '{name}' is also that of row {rows[name]}; ids are unique (a number such as 1.10 wants a cell of text)")
        else:
            rows[name] = number
            entries[name] = {COLUMNS[column]: _said(column, text) for column, text in filled.items() if COLUMNS[column]}
            entries[name][READ] = f"{said}:{number}"
    values = sum(2 * len(entry) for entry in entries.values())
    letters = sum(len(text) for entry in entries.values() for text in entry.values())
    if values > MOST_VALUES or letters > MOST_LETTERS:
        problems.append(Problem(f"{len(entries)} rows with {letters:,} letters; make several exercises of it", str(path)))
    if problems:
        raise InputError(problems)
    return entries


class Problems:
    """Notes what is wrong in one row of a file."""

    def __init__(self, found: list[Problem], path: Path, number: int) -> None:
        self.found, self.path, self.number = found, path, number

    def say(self, what: str) -> None:
        """Note a mistake."""
        self.found.append(Problem(what, str(self.path), self.number))


def _columns(headers: Sequence[str], row: Problems) -> list[str]:
    """Return which column each header means; '' for none."""
    columns: list[str] = []
    for header in headers:
        plain = " ".join(re.split(r"[\s_/().,:-]+", header.casefold())).strip()
        column = ALIASES.get(plain, plain)
        if plain and column not in COLUMNS:
            row.say(f"{nearest(header, COLUMNS, what='column')}; what belongs nowhere else goes into 'notes'")
        elif column in columns and column:
            row.say(f"column '{column}': is there twice; leave one")
        columns.append(column if column in COLUMNS else "")
    if not {"id", "type"} & set(columns):
        row.say(f"no row of headers; the first row names the columns: {', '.join(COLUMNS)}")
        return columns
    for needed in ("id", "type"):
        if needed not in columns:
            row.say(f"column '{needed}' is missing; `twin msel --template FILE` writes a list with all of them")
    if not {"message en", "message zh", "action"} & set(columns):
        row.say("column 'message en' is missing (or 'message zh', or 'action'); a list says or does something")
    return columns


def _said(column: str, text: str) -> str:
    """Return a cell as an entry says it: moments since the start as `+12 min`, types in English."""
    if column == "scenario time" and (since := _SINCE.fullmatch(text)):
        hours = _HOURS.fullmatch(since[1].strip())
        return f"+{int(hours[1]) * 3600 + int(hours[2]) * 60 + int(hours[3] or 0)} s" if hours else f"+{since[1].strip()}"
    if column == "type":
        return CHINESE_TYPES.get(text, " ".join(text.casefold().replace("_", " ").replace("-", " ").split()))
    return text


def lines(entries: Mapping[str, Mapping[str, Any]], came: Mapping[str, tuple[str, str]]) -> list[list[str]]:
    """Return the table of a list, headers first; `came` holds `actual` and `status` by id."""
    table = [list(COLUMNS)]
    for name, entry in entries.items():
        actual, status = came.get(name, ("", ""))
        filled = {"id": name, "actual": actual, "status": status} | {column: str(entry.get(key, "")) for key, column in KEYS.items()}
        moment = filled["scenario time"]
        filled["scenario time"] = f"T{moment}" if moment.startswith("+") else moment
        table.append([filled.get(column, "") for column in COLUMNS])
    return table


def template() -> list[list[str]]:
    """Return the table of a list to fill in, with three rows that show how."""
    return [list(COLUMNS), *([row.get(column, "") for column in COLUMNS] for row in EXAMPLE)]
