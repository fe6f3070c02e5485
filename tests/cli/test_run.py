"""The edge of the program: exit codes, sentences on stderr, readers that go away, signals."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from layerctl import __version__
from layerctl.errors import Busy, DocumentError, EnvironmentFault, ImageError, UsageError

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "layerctl_model", "cv2", "numpy", "PIL", "psd_tools", "pptx", "yaml", "rich"}


def start(*arguments, program=("-m", "layerctl"), **options):
    paths = os.pathsep.join([str(ROOT), str(ROOT / "model")])
    environment = {**os.environ, "PYTHONPATH": paths, **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, *program, *arguments],
        env=environment,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
        **{"stdout": subprocess.PIPE, **options},
    )


@pytest.fixture
def failing(monkeypatch):
    """Make `layerctl presets list` fail in a way of one's own."""

    def fail(error):
        def shipped():
            raise error

        monkeypatch.setattr("layerctl.preset.shipped", shipped)

    return fail


def test_the_version_is_printed(layerctl):
    assert layerctl("--version").out == f"layerctl {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("presets",)])
def test_a_command_that_is_not_given_brings_help_and_is_a_usage_error(layerctl, arguments):
    answer = layerctl(*arguments)
    assert answer.code == 2
    assert "Commands:" in answer.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["decompos"], ["'decompos'", "'decompose'"]),
        (["presets", "shwo"], ["'shwo'", "'show'"]),
        (["decompose", "a.jpg", "--layrs", "3"], ["--layrs", "--layers"]),
        (["--versoin"], ["--versoin", "--version"]),
        (["decompose"], ["INPUT"]),
        (["inspect"], ["FILE"]),
        (["presets", "show", "--seed", "x"], ["--seed", "integer"]),
        (["presets", "show", "--layers", "many"], ["--layers", "2 to 10", "many"]),
        (["presets", "show", "stodio"], ["stodio", "studio"]),
        (["verify", "nowhere"], ["nowhere", "nothing to verify"]),
    ],
)
def test_wrong_usage_is_one_sentence_that_names_what_would_be_right(layerctl, arguments, words):
    answer = layerctl(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert re.fullmatch(r"layerctl: [^\n]+\n", answer.err)
    assert all(word in answer.err for word in words)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ImageError("no pixels"), 1),
        (DocumentError("no layers"), 1),
        (UsageError("no"), 2),
        (EnvironmentFault("no model"), 3),
        (Busy("taken"), 75),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_error_has_its_exit_code(layerctl, failing, error, code):
    failing(error)
    answer = layerctl("presets", "list")
    assert answer.code == code
    assert answer.err == (f"layerctl: {error}\n" if str(error) else "")


def test_several_sentences_are_several_lines(layerctl, failing):
    failing(UsageError("one", "two"))
    assert layerctl("presets", "list").err == "layerctl: one\nlayerctl: two\n"


def test_a_bug_leaves_a_report_and_no_traceback_on_the_terminal(
    layerctl, failing, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    failing(ZeroDivisionError("division\nby zero"))
    answer = layerctl("presets", "list")
    (report,) = tmp_path.iterdir()
    assert answer.code == 70
    assert answer.err.startswith("layerctl: ZeroDivisionError: division; this is a bug")
    assert str(report) in answer.err
    assert "Traceback" in report.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_command_through_every_clean_up(layerctl, monkeypatch, number):
    cleared = []

    def shipped():
        try:
            os.kill(os.getpid(), number)
        finally:
            cleared.append(True)

    monkeypatch.setattr("layerctl.preset.shipped", shipped)
    assert layerctl("presets", "list").code == 128 + number
    assert cleared
    assert signal.getsignal(number) == signal.SIG_DFL


def test_help_and_usage_errors_import_nothing_heavy():
    script = (
        "import sys; from layerctl.cli import run;"
        "codes = [int(run(a.split())) for a in ('--help', 'doctor --help', 'verify --aganst x')];"
        f"print(codes, sorted(set(sys.modules) & {HEAVY}), file=sys.stderr)"
    )
    answer = start(program=("-c", script))
    assert answer.stderr.decode().splitlines()[-1] == "[0, 0, 2] []"


def test_what_an_ascii_terminal_cannot_spell_is_escaped(tmp_path):
    (tmp_path / "产品.yaml").write_text("about: 1\n", encoding="utf-8")
    answer = start(
        "presets", "check", "./产品.yaml", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"}
    )
    assert answer.returncode == 2
    assert rb"layerctl: \u4ea7\u54c1.yaml:1: about must be text" in answer.stderr


def test_names_that_are_not_unicode_and_control_characters_stay_on_their_line(tmp_path):
    name = os.fsdecode(b"./bad\xff\n\x1b[2J.yaml")
    answer = start("presets", "check", name, cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.count(b"\n") == 1
    assert rb"bad\udcff\n\x1b[2J.yaml" in answer.stderr


def test_a_reader_that_goes_away_is_no_error():
    read, write = os.pipe()
    os.close(read)
    answer = start("presets", "schema", stdout=write)
    os.close(write)
    assert (answer.returncode, answer.stderr) == (128 + signal.SIGPIPE, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_stdout_is_told():
    with Path("/dev/full").open("wb") as full:
        answer = start("presets", "schema", stdout=full)
    assert answer.returncode == 3
    assert answer.stderr == b"layerctl: cannot print: No space left on device\n"


def test_a_closed_stdout_is_no_error():
    command = f"{sys.executable} -m layerctl presets list >&-"
    answer = start(program=("-c", f"import os; os.execl('/bin/sh', 'sh', '-c', {command!r})"))
    assert (answer.returncode, answer.stderr) == (0, b"")
