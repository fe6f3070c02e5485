"""`python -m layerctl` is `layerctl`."""

import sys

from layerctl.cli import run

if __name__ == "__main__":
    sys.exit(run())
