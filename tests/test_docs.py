"""The README names what there is: every command, flag, preset and exit code."""

import re
from pathlib import Path

import pytest
import typer

from layerctl.cli import app
from layerctl.errors import ExitCode
from layerctl.preset import shipped

COMMANDS = typer.main.get_command(app).commands


@pytest.fixture(scope="module")
def readme():
    return (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_readme_has_every_command(readme):
    about_presets = [f"presets {name}" for name in COMMANDS["presets"].commands]
    calls = [f"layerctl {name}" for name in [*COMMANDS, *about_presets]]
    assert [call for call in calls if call not in readme] == []


def test_the_readme_has_every_flag_of_decompose(readme):
    flags = {flag for parameter in COMMANDS["decompose"].params for flag in parameter.opts}
    named = set(re.findall(r"--?[a-z-]+", readme))
    assert {flag for flag in flags if flag.startswith("-")} - named == set()


def test_the_readme_has_every_preset(readme):
    assert [name for name in shipped() if f"`{name}`" not in readme] == []


def test_the_readme_has_every_exit_code_at_the_head_of_a_line(readme):
    named = {int(code) for code in re.findall(r"^\W*(\d+)\b", readme, re.MULTILINE)}
    assert set(ExitCode) - named == set()


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_every_command_and_flag_says_what_it_is_for(command):
    assert command.help
    assert [parameter.name for parameter in command.params if not parameter.help] == []
