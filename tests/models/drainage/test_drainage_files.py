"""What a stranger's files may say: nothing that makes SWMM touch other files, and every mistake as one line with its place."""

from __future__ import annotations

import os
import time
from datetime import datetime

import pytest

from models.drainage.demo import DEMO, SURFACES
from models.drainage.engine import prepared
from models.drainage.network import read_network
from models.drainage.rain import read_rain
from twin.errors import InputError

LID = "\n[LID_USAGE]\n A1 green 1 10 5 0 0 0 {}\n[REPORT]"


@pytest.fixture
def read(tmp_path):
    def make(text=DEMO, surfaces=None):
        (tmp_path / "net.inp").write_bytes(text.encode())
        if surfaces is not None:
            (tmp_path / "surfaces.csv").write_bytes(surfaces)
        return read_network(tmp_path / "net.inp", None if surfaces is None else tmp_path / "surfaces.csv")

    return make


def wrong(refused) -> str:
    (problem,) = refused.value.problems
    return f"{problem}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\n[REPORT]", LID.format("/tmp/any"), "[LID_USAGE] 'A1' names a report file"),
        ("\n[REPORT]", LID.format('"a b"'), "[LID_USAGE] 'A1' names a report file"),
        ("\n[REPORT]", '\n[LID_USAGE]\n "A 1" green 1 10 5 0 0 0 x\n[REPORT]', "[LID_USAGE] 'A 1' names a report file"),
        ("\n[REPORT]", '\n"[FILES]"\nSAVE RUNOFF x\n[REPORT]', "[FILES] would make SWMM"),
        ("\n[REPORT]", "\n[FILES]\n;\x0c[TITLE]\nSAVE RUNOFF x\n[REPORT]", "[FILES] would make SWMM"),
        ("\n[REPORT]", f"\n;{'x' * 1022}[FILES]\nSAVE RUNOFF x\n[REPORT]", "a line of more than 1,000 bytes"),
        ("\n[REPORT]", "\n[TEMPERATURE]\nFILE x.dat\n[REPORT]", "[TEMPERATURE] 'FILE' names a file outside the pack"),
        (" G3 INTENSITY 1:00 1.0 TIMESERIES shower", " G3 INTENSITY 1:00 1.0 FILE x.dat S1 MM", "[RAINGAGES] 'G3' names a file"),
        ("WET_STEP ", "TEMPDIR /home\nWET_STEP ", "TEMPDIR would make SWMM write in another folder"),
    ],
)
def test_no_section_makes_swmm_touch_another_file(read, old, new, said):
    assert old in DEMO
    text = DEMO.replace(old, new, 1)
    with pytest.raises(InputError) as refused:
        read(text)
    named = [problem for problem in refused.value.problems if said in str(problem)]
    assert len(named) == 1 and named[0].line > 1, refused.value.problems


@pytest.mark.parametrize("report", ["*", ""])
def test_a_lid_without_a_report_file_is_let_through(read, tmp_path, report):
    """The network is what it was, and SWMM gets the line."""
    plain, with_lid = (
        {kind: one.ids for kind, one in read(text).elements().items()} for text in (DEMO, DEMO.replace("\n[REPORT]", LID.format(report), 1))
    )
    assert with_lid == plain
    assert f"[LID_USAGE]\n A1 green 1 10 5 0 0 0 {report}\n" in prepared(tmp_path / "net.inp", 5)


def test_swmm_gets_the_lines_that_were_judged(tmp_path):
    """A form feed ends no line for SWMM; what is written for it must not make one of it either."""
    (tmp_path / "net.inp").write_text(DEMO.replace("\n[REPORT]", "\n;\x0c[FILES]\n[REPORT]", 1))
    assert ";\x0c[FILES]\n" in prepared(tmp_path / "net.inp", 5)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("\u8857\u9053,street,N1,10.0,".encode("gbk"), "is not UTF-8 here"),
        (b"a,street,N1,10.0," + b"1" * 200_000, "not CSV: field larger"),
        (b"a,street,N1,nan,", "write the road's height in metres"),
        (b"a,street,N1,10.0,0 0;inf 1", "write the road's height in metres"),
    ],
)
def test_surfaces_that_are_no_table_are_one_line(read, line, said):
    with pytest.raises(InputError) as refused:
        read(surfaces=SURFACES.splitlines()[0].encode() + b"\n" + line + b"\n")
    assert said in wrong(refused)
    assert refused.value.problems[0].line == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [("0,\u96e8".encode("gbk"), "is not UTF-8 here"), (b"0," + b"1" * 200_000, "not CSV: field larger"), (b"nan,1", "numbers are needed")],
)
def test_rain_that_is_no_table_is_one_line(tmp_path, line, said):
    (tmp_path / "rain.csv").write_bytes(b"minute,all\n" + line + b"\n")
    with pytest.raises(InputError) as refused:
        read_rain(tmp_path / "rain.csv", ("G1",))
    assert said in wrong(refused)
    assert refused.value.problems[0].line == 2


def starts(network) -> tuple[float, ...]:
    return network.series[0].starts_s


@pytest.fixture
def new_york():
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


def dated(*rows: str, begin="03/08/2014", at="00:00:00") -> str:
    text = DEMO.replace("START_DATE           08/16/2014", f"START_DATE {begin}", 1)
    text = text.replace("START_TIME           20:00:00", f"START_TIME {at}", 1)
    return text.replace(" shower 0:00 60\n shower 1:00 20\n shower 2:00 0\n", "".join(f" shower {row}\n" for row in rows))


def test_days_have_the_same_length_wherever_the_machine_stands(read, new_york):
    """On 9 March 2014 the clocks of New York were put forward."""
    assert datetime(2014, 3, 10).timestamp() - datetime(2014, 3, 8).timestamp() == 169_200
    assert starts(read(dated("03/10/2014 0:00 5"))) == (172_800.0,)


def test_a_date_holds_for_the_lines_that_follow(read):
    assert starts(read(dated("03/08/2014 1:00 5", "2:00 6", "03-09-2014 1:00 7 2:00 8", "3:00 0"))) == (3600, 7200, 90_000, 93_600, 97_200)


def test_a_dated_time_counts_from_the_start_time_and_one_without_from_the_start(read):
    assert starts(read(dated("0:30 5", at="20:00:00"))) == (1800,)
    assert starts(read(dated("03/08/2014 21:00 5", "22:00 6", at="20:00:00"))) == (3600, 7200)


@pytest.mark.parametrize(
    ("text", "said"),
    [(dated("0:00 1", begin="2014/03/08"), "START_DATE 2014/03/08"), (dated("0:00 1", at="noon"), "START_TIME NOON")],
)
def test_a_start_that_is_no_moment_is_one_line(read, text, said):
    with pytest.raises(InputError) as refused:
        read(text)
    assert said in wrong(refused)
