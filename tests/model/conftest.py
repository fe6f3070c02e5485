"""Parity figures: every comparison with diffusers is measured, bounded and printed at the end."""

from collections import defaultdict

import pytest

LIMIT = 1e-4
FIGURES = pytest.StashKey()


def pytest_configure(config):
    config.stash[FIGURES] = defaultdict(list)


@pytest.fixture
def parity(request):
    """Return a function that holds our tensor against diffusers', and notes how far it is."""
    figures = request.config.stash[FIGURES]

    def compare(what, ours, theirs):
        assert ours.shape == theirs.shape
        difference = (ours - theirs).abs().max().item()
        figures[what].append((difference, theirs.abs().max().item()))
        assert difference <= LIMIT, f"{what} differs by {difference:.1e}"

    return compare


def pytest_terminal_summary(terminalreporter, config):
    figures = config.stash[FIGURES]
    if not figures:
        return
    terminalreporter.section("parity with diffusers, fp32")
    terminalreporter.line(f"{'':44}cases  largest value  max abs difference (limit {LIMIT:.0e})")
    for what, cases in sorted(figures.items()):
        difference, value = (max(column) for column in zip(*cases, strict=True))
        terminalreporter.line(f"{what:44}{len(cases):5}  {value:13.3g}  {difference:.1e}")
