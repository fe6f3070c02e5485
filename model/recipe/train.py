"""Makes mini: the RGBA-VAE, the VLD-MMDiT, the separator, then the checkpoint folder.

    python model/recipe/train.py --out runs/mini --vae-minutes 45 --minutes 150

The same command goes on where an interrupted run stopped, on a GPU as on a CPU.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from masks import CLOSER, FINEST, SCALE
from stream import SIDE
from train_separator import train_separator
from train_transformer import train_transformer
from train_vae import train_vae

from layerctl_model.checkpoint import has_separator

CARD = {
    "resolution": SIDE,
    "steps": 1,
    "guidance": 1.0,
    "layers": 4,
    "fewest_layers": 2,
    "most_layers": 6,
    "reads_alpha": True,
    "separator_scales": [SCALE, CLOSER],
    "separator_detail": FINEST,
    "note": "mini is good for products on plain and softly lit backdrops",
}


def main() -> None:
    """Train what is not trained yet and say where the checkpoint lies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--vae-minutes", type=float, default=45)
    parser.add_argument("--minutes", type=float, default=150, help="of the transformer")
    parser.add_argument("--separator-minutes", type=float, default=100)
    parser.add_argument("--workers", type=int, default=1)
    chosen = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not (chosen.out / "checkpoint" / "vae").exists():
        train_vae(chosen.out, chosen.vae_minutes, device, chosen.workers)
    train_transformer(chosen.out, chosen.minutes, device, chosen.workers)
    if not has_separator(chosen.out / "checkpoint"):
        train_separator(chosen.out, chosen.separator_minutes, device, chosen.workers)
    card = json.dumps(CARD, indent=2) + "\n"
    (chosen.out / "checkpoint" / "layerctl.json").write_text(card, encoding="utf-8")
    print(chosen.out / "checkpoint")


if __name__ == "__main__":
    main()
