"""The house has floors: a module imports only from below, and what is heavy has one door."""

import ast
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

TOOL = """
errors compositing cache machine
address texts.prompt batch.scratch batch.disk checkpoints.hashes channels workers
document photo.signature photo.integrity photo.profiles checkpoints.hub
photo.colour
photo.reading
photo
preset.section
preset.recursion
preset.sections preset.settings
preset.wording
preset.resolution
preset.listing preset
checkpoints.folder checkpoints.download
checkpoints.catalogue checkpoints
gaps pyramid things
backdrop completion coverage focus instances lines network texture
graphcut limbs texts.encoding texts fit surroundings
matting rims sketch
paint shadow
lift
roles recursion.splitter
formats.psd_bytes formats.sheet
formats.psd_parts formats.psd_records
formats.psd_layout formats.psd_tree
formats.psd_layers
formats.png formats.pptx formats.psd formats.psd_surgery
formats
batch.receipt batch.lock
batch.passed
batch.plan batch.backup
batch batch.exchange
recursion.rules
batch.outcome batch.publish
batch.stages batch.amendment
batch.pipeline
batch.run
decompose verify
recursion.psd_file recursion
console
cli.flags
cli.decompose cli.doctor cli.inspect cli.models cli.presets cli.recurse cli.verify
cli
__main__
"""
"""From the ground up; modules on one floor do not know each other."""

NETWORK = """
functional folder prompts
vae backbone transformer flow settings shards qwen_vl
lora_file modulation quantize offload separator
lora grouping
things checkpoint
closeup
inventory plans
placement text
decomposer
"""

DOORS = {
    "torch": {"network"},
    "layerctl_model": {"network"},
    "huggingface_hub": {"checkpoints.download"},
    "rich": {"console"},
    "yaml": {"preset.settings", "preset.listing"},
    "psd_tools": {
        "formats.psd",
        "formats.psd_layers",
        "formats.psd_records",
        "formats.psd_surgery",
        "verify",
    },
    "pptx": {"formats.pptx"},
}
"""Packages that only these modules of the tool import."""

NOT_IN_THE_NETWORK = {"layerctl", "PIL", "typer", "rich", "yaml", "pydantic", "cv2", "numpy"}


def modules(folder):
    """The modules of a package by their names below it; the package itself is "" ."""
    found = {}
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts).removesuffix("__init__").removesuffix(".")] = path
    return found


def imported(path):
    """Dotted names that a file imports anywhere: modules, or things in modules."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(path, package, known):
    """Names of the modules of its own package that a file imports."""
    for name in imported(path):
        if name.partition(".")[0] == package:
            inner = name.removeprefix(package).removeprefix(".")
            yield inner if inner in known else inner.rpartition(".")[0]


def floors(plan):
    return {name: level for level, line in enumerate(plan.split("\n")) for name in line.split()}


PACKAGES = [
    pytest.param("layerctl", ROOT / "layerctl", TOOL, id="tool"),
    pytest.param("layerctl_model", ROOT / "model" / "layerctl_model", NETWORK, id="network"),
]


@pytest.mark.parametrize(("package", "folder", "plan"), PACKAGES)
def test_every_module_has_its_floor(package, folder, plan):
    assert set(modules(folder)) - {""} == set(floors(plan)), package


@pytest.mark.parametrize(("package", "folder", "plan"), PACKAGES)
def test_imports_point_downwards(package, folder, plan):
    known, level = modules(folder), floors(plan)
    upwards = [
        f"{package}.{name} imports {target}"
        for name, path in known.items()
        for target in own_imports(path, package, known)
        if name and target and level[target] >= level[name]
    ]
    assert not upwards


@pytest.mark.parametrize("package", DOORS)
def test_what_is_heavy_has_its_doors(package):
    users = {
        name
        for name, path in modules(ROOT / "layerctl").items()
        if any(found.partition(".")[0] == package for found in imported(path))
    }
    assert users == DOORS[package]


def test_the_network_knows_neither_files_of_pictures_nor_people():
    paths = modules(ROOT / "model/layerctl_model").values()
    found = {name.partition(".")[0] for name in chain.from_iterable(map(imported, paths))}
    assert not found & NOT_IN_THE_NETWORK
