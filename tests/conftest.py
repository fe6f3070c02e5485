"""What tests of every part share: the command line, run in this process."""

import signal
from dataclasses import dataclass

import pytest

from layerctl.cli import run


def pytest_configure():
    # Under nohup a hangup is ignored, in the background of a script Ctrl-C: all that we start
    # would ignore them too.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path_factory):
    """A cache folder that is nobody's, for whatever a test starts."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "layerctl"


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    def sentences(self):
        """What was wrong with this machine, line by line."""
        assert self.code == 3
        lines = self.err.splitlines()
        assert all(line.startswith("layerctl: ") for line in lines)
        return [line.removeprefix("layerctl: ") for line in lines]


@pytest.fixture
def layerctl(capsys):
    """Run a command: r = layerctl("presets", "list"); r.code, r.out, r.err."""

    def call(*arguments):
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Answer(int(code), *capsys.readouterr())

    return call
