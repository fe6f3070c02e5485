"""Many photos in one run: what is left to do, doing it, and never losing what is done."""

from collections.abc import Callable
from typing import TypeAlias

from layerctl.document import Decomposition
from layerctl.photo import Photo
from layerctl.preset import Preset

Decompose: TypeAlias = Callable[[Photo, Preset], Decomposition]
"""What takes one photo apart; a run is handed one, and knows nothing of networks."""
