"""What is printed: lines, tables, JSON, and progress where somebody watches."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

from layerctl import console

ROOT = Path(__file__).parents[1]


def test_a_line_stays_a_line(capsys):
    console.say("a\nb\x1b[2J\u202e产品")
    assert capsys.readouterr().out == "a\\nb\\x1b[2J\\u202e产品\n"


def test_columns_are_aligned_whatever_the_script_and_however_wide(capsys):
    long = "x" * 300
    console.table(("name", "size"), [("产品", "1"), ("[bold]a", long)])
    assert capsys.readouterr().out.splitlines() == [
        "name     size",
        "产品     1",
        f"[bold]a  {long}",
    ]


def test_json_lines_are_ascii_and_read_back(capsys):
    fields = {"name": "产品\n\udcff", "seconds": 1.5}
    console.say_json(fields)
    line = capsys.readouterr().out
    assert line.isascii()
    assert json.loads(line) == fields


def test_there_is_no_progress_where_nobody_watches(capsys):
    with console.progress(2) as over:
        over("a")
    assert capsys.readouterr() == ("", "")


def test_progress_is_shown_on_a_terminal_and_results_stay_on_stdout():
    script = (
        "from layerctl import console\n"
        "with console.progress(2) as over:\n"
        "    console.say('result'); over('a'); over('b')\n"
    )
    watched, terminal = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "80"}
    answer = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=terminal,
        timeout=60,
        check=True,
    )
    os.close(terminal)
    assert answer.stdout == b"result\n"
    assert b"2/2" in os.read(watched, 100_000)
    os.close(watched)
