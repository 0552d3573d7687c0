import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import recorded

from twin.errors import InputError, StorageError
from twin.results import open_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return open_run(recorded.record(tmp_path_factory.mktemp("runs") / "first"))


def test_a_field_is_a_labelled_array_over_the_local_clock_and_ids(run):
    pressure = run.fields["water"].pressure_m
    assert pressure.dims == ("time", "junction")
    assert pressure.attrs == {"units": "m", "long_name": "pressure"}
    assert pressure.junction.values.tolist() == ["J1", "J2", "J17"]
    assert pressure.time.dtype == "datetime64[ns]"
    assert str(pressure.time.values[0]) == "2014-08-16T21:30:00.000000000"
    assert pressure.time.attrs["timezone"] == "Asia/Shanghai"
    # J1 starts at 40 m and loses 1 m a minute: 35 m at 21:35
    assert float(pressure.sel(junction="J1", time="2014-08-16T21:35:00")) == 35.0
    assert float(pressure.sel(junction="J1", time=run.at("21:35"))) == 35.0


def test_fields_are_not_read_before_they_are_asked_for(run):
    assert not run.fields["water"].starts.variable._in_memory


def test_zarr_readers_find_the_clock_and_units_without_this_library(run):
    import xarray as xr

    alone = xr.open_zarr(run.path / "fields.zarr", group="water", consolidated=False)
    assert str(alone.time.values[3]) == "2014-08-16T21:30:30.000000000"
    assert alone.power_mw.attrs["units"] == "MW"
    assert alone.is_running.dtype == bool


def test_ports_come_in_the_order_of_declaration_and_without_what_is_absent(run):
    assert list(run.fields["water"]) == ["pressure_m", "power_mw", "is_running", "starts"]
    with pytest.raises(InputError, match="absent in this run"):
        run.port("water.quality")
    with pytest.raises(InputError, match="did you mean 'pressure_m'"):
        run.port("water.presure_m")
    with pytest.raises(InputError, match="did you mean 'water'"):
        run.port("watr.pressure_m")
    with pytest.raises(KeyError, match="did you mean 'water'"):
        run.fields["watr"]


def test_tracks_are_a_table_with_times_and_kinds(run):
    people = run.tracks("crowd")
    assert people.columns.tolist() == ["time", "id", "kind", "x_m", "y_m", "angle_deg", "speed_m_per_s"]
    assert set(people["kind"]) == {"person", "steward"}
    assert len(people) == sum(len(recorded.people_at(t)) for t in range(0, 601, 10))
    assert str(people["time"].dtype) == "datetime64[ns]"
    assert run.tracks("water").empty


def test_tracks_can_be_read_between_two_moments(run):
    some = run.tracks("crowd", "21:31", "+70 s")
    assert sorted(set(some["time"].dt.strftime("%H:%M:%S"))) == ["21:31:00", "21:31:10"]


def test_the_journal_is_a_table_with_facts(run):
    assert len(run.events) == 11
    row = run.events.iloc[1]
    assert (row["kind"], row["model"], row["name"], row["element"]) == ("notice", "water", "pump_stopped", "P1")
    assert row["facts"] == {"head_m": 12.5, "at": 60, "cause": "no supply"}
    assert str(row["time"]) == "2014-08-16 21:31:00"
    assert (row["t_happened_s"], row["t_seen_s"]) == (59, 60)


def test_static_holds_shapes_labels_and_looks(run):
    water, crowd = run.static["water"], run.static["crowd"]
    made = recorded.SHEETS["water"]
    assert water.elements["pump"].ids == ("P1", "P2")
    for kept, shape in zip(water.elements["pump"].shapes, made.elements["pump"].shapes, strict=True):
        np.testing.assert_array_equal(kept, shape)
    assert water.ports == made.ports
    assert (water.absent, water.notices, water.actions) == (made.absent, made.notices, made.actions)
    assert crowd.elements["area"].closed
    assert crowd.moving == {0: "person", 1: "steward"}
    assert crowd.looks == {"height_m": {"A1": 3.5}}


def test_a_moment_is_found_by_clock_by_duration_and_by_second(run):
    assert run.second("21:42") == 720
    assert run.second("+5 min") == 300
    assert run.second(np.datetime64("2014-08-16T21:31:05")) == 65
    assert run.at("21:31:07") == np.datetime64("2014-08-16T21:31:00")
    assert run.at(67) == run.at("21:31:07")
    assert run.clock(65) == "21:31:05"
    with pytest.raises(InputError, match="21:50 is outside the run: recorded from 21:30:00 to 21:40:00"):
        run.at("21:50")
    with pytest.raises(InputError, match="is no time"):
        run.at("noon")


def test_timing_and_ledger_are_tables(run):
    assert run.timing.loc["water", "solve_s"] == 0.5
    assert run.ledger.to_dict("records") == [{"model": "water", "residual": 0.0}]
    assert run.kpis.columns.tolist() == ["name", "value", "unit", "target", "verdict", "label"]


def test_a_run_says_what_it_is_in_a_few_lines(run):
    assert repr(run).splitlines() == [
        "<Run made_up>",
        "  status  done",
        "  clock   2014-08-16 21:30:00 to 21:40:00 Asia/Shanghai, every 10 s",
        "  water   pressure_m, power_mw, is_running, starts",
        "  crowd   walking",
    ]
    assert "<td>done</td>" in run._repr_html_()


def test_a_run_cut_short_opens_and_says_so(tmp_path):
    town = recorded.go_on(recorded.start(tmp_path / "run"), 0, 250)
    town.commit(250)
    run = open_run(tmp_path / "run")
    assert run.status == "unfinished"
    assert "status  unfinished (recorded 21:30:00 to 21:34:10 of 21:40:00)" in repr(run)
    assert len(run.fields["water"].time) == 26
    assert np.isfinite(run.fields["water"].pressure_m.values).all()


def test_a_run_with_nothing_committed_opens_empty(tmp_path):
    recorded.start(tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert run.fields["water"].pressure_m.shape == (0, 3)
    assert run.tracks("crowd").empty
    assert run.events.empty
    assert "nothing recorded" in repr(run)
    with pytest.raises(InputError, match="nothing is recorded"):
        run.at("21:30")


def test_a_folder_that_is_no_run_is_refused_in_one_line(tmp_path):
    with pytest.raises(StorageError, match=r"nowhere: no such folder$"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(StorageError, match=r"is no run \(no manifest.json\)$"):
        open_run(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "models": "x"}', "\0\0", '{"format": 1', "[" * 100_000])
def test_a_damaged_manifest_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(StorageError, match=r"manifest\.json: is damaged") as caught:
        open_run(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_run_of_another_format_says_which(tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": 2}')
    with pytest.raises(StorageError, match="format 2; this version reads format 1"):
        open_run(tmp_path)


@pytest.fixture
def copy(tmp_path):
    return recorded.record(tmp_path / "run")


def test_a_model_name_in_a_strangers_manifest_cannot_lead_out_of_the_folder(copy):
    said = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(said | {"models": ["../../etc"]}))
    with pytest.raises(StorageError, match="cannot name a model"):
        open_run(copy)


def test_an_array_with_a_foreign_codec_or_size_is_refused_before_zarr_sees_it(copy):
    path = copy / "fields.zarr" / "water" / "starts" / "zarr.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"codecs": [*said["codecs"], {"name": "numcodecs.pickle"}]}))
    with pytest.raises(StorageError, match=r"is not an array of this run .*numcodecs\.pickle"):
        open_run(copy).fields["water"]
    path.write_text(json.dumps(said | {"shape": [10**12, 2]}))
    with pytest.raises(StorageError, match=r"is not an array of this run .*1000000000000"):
        open_run(copy).fields["water"]
    path.write_text(json.dumps(said | {"zarr_format": 2}))
    with pytest.raises(StorageError, match="is not an array of this run"):
        open_run(copy).fields["water"]


def test_static_files_with_pickles_or_torn_parts_are_refused_in_one_line(copy):
    path = copy / "static" / "water.npz"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StorageError, match=r"static/water\.\w+: is damaged"):
        open_run(copy).static["water"]
    np.savez(path, **{"junction.xy": np.array([{"code": 1}], object), "junction.rows": np.array([1])}, allow_pickle=True)
    assert zipfile.is_zipfile(path)
    with pytest.raises(StorageError, match=r"is damaged: Object arrays cannot be loaded"):
        open_run(copy).static["water"]
    path.unlink()
    with pytest.raises(StorageError, match=r"water\.npz: cannot be read"):
        open_run(copy).static["water"]


def test_a_torn_part_is_named(copy):
    part = copy / "events" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(StorageError, match=r"part-00000\.parquet: is damaged"):
        _ = open_run(copy).events


def test_the_digest_is_the_same_in_another_folder_and_under_another_hash_seed(copy, tmp_path):
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import recorded; "
    code += "from twin.results import digest; from pathlib import Path; "
    code += "print(digest(recorded.record(Path(sys.argv[1]))))"
    for seed, zone in (("1", "UTC"), ("2", "America/New_York")):
        child = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "TZ": zone},
        )
        assert child.stdout.strip() == open_run(copy).digest


def test_a_port_is_found_with_its_unit_left_off(run):
    assert run.port("water.pressure")[1].name == "pressure_m"
    with pytest.raises(InputError, match="did you mean"):
        run.port("water.pressur")
