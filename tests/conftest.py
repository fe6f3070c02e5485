"""What tests of every part share: the command line, run in this process."""

import signal
from dataclasses import dataclass

import pytest

from layerctl.cli import run


def pytest_configure():
    # Under nohup a hangup is ignored, and all that we start would ignore it too.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@pytest.fixture
def layerctl(capsys):
    """Run a command: r = layerctl("presets", "list"); r.code, r.out, r.err."""

    def call(*arguments):
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Answer(int(code), *capsys.readouterr())

    return call
