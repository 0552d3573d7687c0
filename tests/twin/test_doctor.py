"""`twin doctor` loads each part in a process of its own, and says how to mend what does not load."""

from __future__ import annotations

import pytest

from twin import doctor
from twin.doctor import CHECKS, Check


def only(monkeypatch, *checks: Check) -> None:
    monkeypatch.setattr(doctor, "CHECKS", checks)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize("name", ["VTK", "Jinja2", "typst", "Noto Sans SC", "matplotlib", "ffmpeg", "trame"])
def test_what_draws_is_really_used_not_only_imported(monkeypatch, name):
    (check,) = (check for check in CHECKS if check.name == name)
    only(monkeypatch, check)
    ((_, loads, said),) = doctor.results()
    if check.optional and not loads:
        pytest.skip(f"{name} is not here: {said}")
    assert loads, said
    assert any(letter.isdigit() for letter in said), "it says its version"


def test_only_pictures_in_three_dimensions_films_and_the_server_are_optional():
    assert {check.name for check in CHECKS if check.optional} == {"VTK", "ffmpeg", "trame"}
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_what_dies_is_named_with_its_signal_and_its_mend_and_the_verdict_is_no(monkeypatch, capsys):
    only(monkeypatch, Check("broken", "nothing", "import os; os.abort()", "apt-get install luck"))
    assert not doctor.show()
    said = capsys.readouterr().out
    assert "ended by signal 6" in said
    assert "mend broken: apt-get install luck" in said


def test_what_is_optional_may_be_absent_and_still_says_how_to_get_it(monkeypatch, capsys):
    only(monkeypatch, Check("extra", "pictures", "import no_such_package", "apt-get install it", optional=True))
    assert doctor.show()
    said = capsys.readouterr().out
    assert "absent, optional" in said
    assert "No module named 'no_such_package'" in said
    assert "mend extra: apt-get install it" in said


def test_the_extra_to_install_is_named(monkeypatch, capsys):
    (trame,) = (check for check in CHECKS if check.name == "trame")
    only(monkeypatch, Check("trame", "pages", "import no_such_package", trame.mend, optional=True))
    doctor.show()
    assert "mend trame: python -m pip install -c configs/constraints.txt 'citytwin[serve]'" in capsys.readouterr().out


def test_vtk_says_which_debian_packages_are_missing():
    (vtk,) = (check for check in CHECKS if check.name == "VTK")
    assert "libegl1 libgl1-mesa-dri" in vtk.mend
