import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["movie", "RUN", "--fps", "0"], "Invalid value for '--fps'"),
        (["shot"], "Missing argument 'RUN'"),
        (["shoot"], "No such command 'shoot'"),
        (["shot", "RUN", "--ta", "21:40"], "No such option"),
    ],
)
def test_a_wrong_use_of_the_line_is_one_line_and_says_where_help_is(words, said):
    ran = subprocess.run([sys.executable, "-m", "twin.cli", *words], capture_output=True, text=True, check=False)
    assert ran.returncode == 2 and ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert said in line and "--help`" in line


def test_the_command_line_starts_without_what_draws():
    code = "import sys, viz, twin.cli; twin.cli.whole(); print([m for m in ('pyvista', 'vtk', 'matplotlib', 'jinja2', 'trame', 'numba') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
