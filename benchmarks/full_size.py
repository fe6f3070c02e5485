"""How fast and how large is a network of the published size? Random weights, made on the device.

    PYTHONPATH=model python benchmarks/full_size.py
    PYTHONPATH=model python benchmarks/full_size.py --scale tiny --device cpu
    PYTHONPATH=model python benchmarks/full_size.py --plans
    PYTHONPATH=model python benchmarks/full_size.py --write FOLDER

runs every plan that fits, exact and in 8 bits, with guidance, at each resolution; then the plan
that a smaller card would get, with PyTorch held to that much memory. What the weights are decides
what a picture shows, not how long it takes: no checkpoint is needed. `--write` makes one, a shard
a block, to measure loading with; `--plans` runs nothing and prints the bytes of every plan.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import save_file
from torch import Tensor

from layerctl_model.checkpoint import (
    empty_transformer,
    empty_vae,
    load_flow,
    save_flow,
    save_index,
    save_vae,
)
from layerctl_model.decomposer import Decomposer
from layerctl_model.flow import Flow, Text
from layerctl_model.folder import SHARD_INDEX, write_json
from layerctl_model.modulation import modulation_names
from layerctl_model.placement import place, release
from layerctl_model.plans import Plan, below, choose, outline, possible
from layerctl_model.settings import Profile, Settings
from layerctl_model.transformer import TransformerSizes, VLDMMDiT
from layerctl_model.vae import RGBAVae, VaeSizes

GIB = 1 << 30
DTYPE = torch.bfloat16
STEPS = 50
CAPTION, NEGATIVE = 205, 6
"""Tokens of a usual caption, and of a space in its template."""

SCALES = {
    "full": (TransformerSizes(), VaeSizes()),
    "tiny": (
        TransformerSizes(
            num_layers=6,
            num_attention_heads=2,
            attention_head_dim=16,
            joint_attention_dim=24,
            axes_dims_rope=(4, 6, 6),
        ),
        VaeSizes(base_dim=8, num_res_blocks=1),
    ),
}

HEAD = """
| pixels | plan | GB needed | GB at most | s a schedule | s a step | s a picture of 50 steps |
|---:|---|---:|---:|---:|---:|---:|"""

PLANS_HEAD = """| plan | pixels | on the device, GB | pinned on the host, GB |
|---|---:|---:|---:|"""


@dataclass(frozen=True)
class Figures:
    """What a plan took.

    Attributes:
        schedule: Seconds for the modulations of 50 steps, once for all pictures of one size.
        step: Seconds for a step with guidance.
        rest: Seconds for what else a picture needs.
        peak: Bytes of a card at most; 0 on a CPU, where nobody counts them.
    """

    schedule: float
    step: float
    rest: float
    peak: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", choices=SCALES, default="full")
    parser.add_argument("--device", type=torch.device, default=torch.device("cuda:0"))
    parser.add_argument("--resolutions", type=int, nargs="+", default=[640, 1024])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--card", type=float, default=24, help="GiB of the smaller card")
    parser.add_argument("--plans", action="store_true", help="only print the bytes of plans")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="only write a checkpoint")
    options = parser.parse_args(arguments)
    if options.write:
        write_configs(options.write, options.scale)
        write_weights(options.write)
        return
    with TemporaryDirectory() as folder:
        write_configs(Path(folder), options.scale)
        if options.plans:
            print_plans(Path(folder), options)
            return
        print(machine(options.device), HEAD, sep="\n")
        for resolution in options.resolutions:
            settings = Settings(options.layers, options.steps, resolution=resolution)
            for quantized in (False, True):
                bench = Bench(Path(folder), settings, options.device, quantized=quantized)
                bench.run_all()
                bench.run_within(int(options.card * GIB))


def print_plans(folder: Path, options: argparse.Namespace) -> None:
    """Print the bytes of each kind of plan at its least, and of what a smaller card would get."""
    print(PLANS_HEAD)
    size = int(options.card * GIB)
    for quantized in (False, True):
        for resolution in options.resolutions:
            settings = Settings(options.layers, STEPS, resolution=resolution)
            plans = possible(folder, settings, dtype=DTYPE, quantized=quantized)
            chosen = choose(plans, size, host_free=1 << 50)
            for plan in dict.fromkeys((*outline(plans), *([chosen] if chosen else []))):
                where = f", what {options.card:g} GiB get" if plan == chosen else ""
                print(
                    f"| {described(plan)}{where} | {resolution} | {plan.device_bytes / 1e9:.1f} | "
                    f"{plan.host_bytes / 1e9:.1f} |"
                )


def described(plan: Plan) -> str:
    """A plan in words."""
    bits = "8 bits" if plan.quantized else "bf16"
    return f"{bits}, {plan.name}, {plan.resident_blocks} of {plan.blocks} blocks"


class Bench:
    """The plans of one checkpoint at one size, each opened, run and closed in turn."""

    def __init__(
        self, folder: Path, settings: Settings, device: torch.device, *, quantized: bool
    ) -> None:
        self.folder, self.settings, self.device = folder, settings, device
        plans = possible(folder, settings, dtype=DTYPE, quantized=quantized)
        # Random weights have no file to be mapped from.
        self.plans = [plan for plan in plans if plan.name != "mapped"]

    def run_all(self) -> None:
        """Print a row for each kind of plan that fits."""
        for plan in outline(self.plans):
            if plan.device_bytes <= free_bytes(self.device):
                self._print_row(plan, "")

    def run_within(self, size: int) -> None:
        """Print rows for a card of so many bytes: one, unless plans turn out to need more."""
        plan = choose(self.plans, size, host_free=1 << 50)
        with limited(self.device, size):
            while plan is not None and not self._print_row(plan, f" on {size / GIB:g} GiB"):
                plan = below(self.plans, plan, host_free=1 << 50)

    def _print_row(self, plan: Plan, where: str) -> bool:
        """Say what a plan takes; False if that is more memory than there is."""
        try:
            figures = self._measure(plan)
        except torch.OutOfMemoryError:
            figures = None
        release()
        row = f"| {self.settings.resolution} | {described(plan)}{where} | "
        row += f"{plan.device_bytes / 1e9:.2f} | "
        if figures is None:
            print(f"{row}out of memory | | | |", flush=True)
            return False
        picture = STEPS * figures.step + figures.rest
        row += f"{figures.peak / 1e9:.2f} | {figures.schedule:.2f} | {figures.step:.3f} | "
        print(f"{row}{picture:.1f} |", flush=True)
        return True

    def _measure(self, plan: Plan) -> Figures:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        decomposer = random_decomposer(self.folder, plan, self.device)
        schedule = self._seconds_of_schedule(decomposer)
        self._run(decomposer)  # kernels are chosen and memory is found the first time
        marks = self._run(decomposer)
        step = median(b - a for a, b in pairwise(marks[1:-1]))
        rest = marks[-1] - marks[0] - self.settings.steps * step
        peak = torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else 0
        return Figures(schedule, step, rest, peak)

    def _seconds_of_schedule(self, decomposer: Decomposer) -> float:
        assert decomposer.modulations is not None  # noqa: S101 - it was placed
        sigmas = decomposer.flow.sigmas(STEPS, self.settings.resolution**2 // 256)[:-1]
        start = self._now()
        decomposer.modulations.schedule(sigmas)
        return self._now() - start

    def _run(self, decomposer: Decomposer) -> list[float]:
        """Decompose a picture: when it began, when each step was done, when it ended."""
        side = self.settings.resolution
        width = decomposer.transformer.sizes.joint_attention_dim
        caption, negative = (
            Text(torch.randn(1, length, width, dtype=DTYPE, device=self.device))
            for length in (CAPTION, NEGATIVE)
        )
        picture = torch.rand(4, side, side)
        marks = [self._now()]
        decomposer.decompose(
            picture, self.settings, caption, negative, lambda *_: marks.append(self._now())
        )
        return [*marks, self._now()]

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def random_decomposer(folder: Path, plan: Plan, device: torch.device) -> Decomposer:
    """A decomposer under a plan, its weights made where they are needed."""
    transformer = empty_transformer(folder).to(DTYPE)
    modulations = place(transformer, random_tensors(transformer, device), plan, device)
    return Decomposer(
        random_vae(folder, device), transformer, load_flow(folder), Profile(), modulations
    )


def random_vae(folder: Path, device: torch.device) -> RGBAVae:
    """An autoencoder with random weights."""
    vae = empty_vae(folder).to(DTYPE)
    state = {name: random_like(tensor, device) for name, tensor in vae.state_dict().items()}
    vae.load_state_dict(state, assign=True)
    return vae.eval()


def random_tensors(network: VLDMMDiT, device: torch.device) -> Iterator[tuple[str, Tensor]]:
    """Names and tensors of an empty network; modulations wait on the host, as from a file.

    There they share memory, block by block the same: 13.6 GB of noise would take minutes.
    """
    away = tuple(modulation_names(network))
    wanted = network.state_dict()
    shapes = {tensor.shape: tensor for name, tensor in wanted.items() if name.startswith(away)}
    host = {shape: random_like(tensor, torch.device("cpu")) for shape, tensor in shapes.items()}
    return (
        (name, host[tensor.shape] if name.startswith(away) else random_like(tensor, device))
        for name, tensor in wanted.items()
    )


def random_like(tensor: Tensor, device: torch.device) -> Tensor:
    """Weights a network stays tame with: small ones, and gains of one."""
    if tensor.ndim == 1 or tensor.shape[1:].numel() == 1:
        return torch.ones_like(tensor, device=device)
    return torch.randn_like(tensor, device=device) * 0.02


@contextmanager
def limited(device: torch.device, size: int) -> Iterator[None]:
    """Hold PyTorch to so many bytes of a card; a CPU has no such limit."""
    if device.type != "cuda":
        yield
        return
    total = torch.cuda.mem_get_info(device)[1]
    torch.cuda.set_per_process_memory_fraction(min(1.0, size / total), device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)


def free_bytes(device: torch.device) -> int:
    """What a card has left; a CPU is believed to have enough."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 1 << 50


def machine(device: torch.device) -> str:
    """Where the figures come from."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return f"{name}, torch {torch.__version__}, {torch.get_num_threads()} threads"


def write_configs(folder: Path, scale: str) -> None:
    """Write what describes a checkpoint of this scale."""
    transformer, vae = SCALES[scale]
    write_json(folder / "transformer" / "config.json", transformer.to_config())
    write_json(folder / "vae" / "config.json", vae.to_config())
    save_flow(Flow(), folder)
    save_index(folder)


def write_weights(folder: Path) -> None:
    """Write random weights that fit the configs, the transformer in a shard a block."""
    cpu = torch.device("cpu")
    save_vae(random_vae(folder, cpu), folder)
    network = empty_transformer(folder).to(DTYPE)
    places = {name: shard_of(name) for name in network.state_dict()}
    for shard in sorted(set(places.values())):
        state = {
            name: random_like(tensor, cpu)
            for name, tensor in network.state_dict().items()
            if places[name] == shard
        }
        save_file(state, folder / "transformer" / shard, metadata={"format": "pt"})
    write_json(folder / "transformer" / SHARD_INDEX, {"metadata": {}, "weight_map": places})


def shard_of(name: str) -> str:
    """The file for a tensor: one for each block, one for the rest."""
    first, number, *_ = name.split(".")
    part = f"block-{number}" if first == "transformer_blocks" else "ends"
    return f"diffusion_pytorch_model-{part}.safetensors"


if __name__ == "__main__":
    main()
