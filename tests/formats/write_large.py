"""Write 24 megapixels in five layers to the path given, and print the peak memory in bytes."""

import resource
import sys
from pathlib import Path

import numpy as np

from layerctl.document import Document, Layer
from layerctl.formats import psd
from layerctl.preset import ExportSection

WIDTH, HEIGHT = 6000, 4000

tile = np.random.default_rng(0).integers(0, 256, (HEIGHT, 500, 4), dtype=np.uint8)
layers = []
for index in range(5):
    pixels = np.tile(np.roll(tile, index, axis=1), (1, WIDTH // 500, 1))
    if index == 0:
        pixels[..., 3] = 255
    layers.append(Layer(f"layer {index}", "product", pixels))
psd.write(Document(WIDTH, HEIGHT, tuple(layers)), Path(sys.argv[1]), ExportSection())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
