"""Checkpoints with one thing wrong each: what a disk, a download or a mix-up leaves behind."""

# ruff: noqa: ARG001 - every defect is asked for in the same words
import json

from layerctl_model.folder import TEXT_WEIGHTS, WEIGHTS

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def read(path):
    """Split a safetensors file into its header and its data."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def write(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def weight_files(folder, part):
    return sorted((folder / part).glob("*.safetensors"))


def index_of(folder, part):
    only = TEXT_WEIGHTS if part == "text_encoder" else WEIGHTS
    return folder / part / f"{only}.index.json"


def some_tensor(rng, header):
    return rng.choice(sorted(header.keys() - {"__metadata__"}))


def changed_header(change):
    """Make a defect of a function that changes the header of one weight file."""

    def defect(rng, folder, part):
        path = rng.choice(weight_files(folder, part))
        header, data = read(path)
        write(path, change(rng, header) or header, data)
        return path

    defect.__name__ = change.__name__
    return defect


def changed_content(change):
    """Make a defect of a function from a weight file's bytes to others."""

    def defect(rng, folder, part):
        path = rng.choice(weight_files(folder, part))
        path.write_bytes(change(rng, path.read_bytes()))
        return path

    defect.__name__ = change.__name__
    return defect


def changed_index(change):
    """Make a defect of a function that changes where an index says tensors are.

    It returns the name of the file at fault, "index.json" for the index itself.
    """

    def defect(rng, folder, part):
        path = index_of(folder, part)
        index = json.loads(path.read_text())
        name = some_tensor(rng, index["weight_map"])
        found = change(rng, index["weight_map"], name)
        path.write_text(json.dumps(index))
        return path if found == "index.json" else folder / part / found

    defect.__name__ = change.__name__
    return defect


@changed_content
def cut_short(rng, content):
    return content[: rng.randrange(len(content))]


@changed_content
def with_bytes_at_the_end(rng, content):
    return content + rng.randbytes(rng.randint(1, 9))


@changed_content
def zeros(rng, content):
    return bytes(len(content))


@changed_content
def lfs_pointer(rng, content):
    return POINTER.encode()


@changed_content
def noise_in_the_header(rng, content):
    return content[:8] + rng.randbytes(40) + content[48:]


@changed_content
def a_web_page(rng, content):
    return b"<!DOCTYPE html><title>503 Service Unavailable</title>" * 20


@changed_header
def overlapping(rng, header):
    name = some_tensor(rng, header)
    start, stop = header[name]["data_offsets"]
    header[name]["data_offsets"] = [start - 2, stop - 2] if start else [start + 2, stop + 2]


@changed_header
def other_precision(rng, header):
    header[some_tensor(rng, header)]["dtype"] = "F64"


@changed_header
def whole_numbers(rng, header):
    header[some_tensor(rng, header)]["dtype"] = "I32"


@changed_header
def other_shape(rng, header):
    entry = header[some_tensor(rng, header)]
    entry["shape"] = [1, *entry["shape"]]


@changed_header
def renamed(rng, header):
    name = some_tensor(rng, header)
    header[f"{name}_old"] = header.pop(name)


@changed_header
def no_tensors(rng, header):
    return {"__metadata__": {}}


@changed_index
def index_places_elsewhere(rng, places, name):
    places[name] = rng.choice(sorted(set(places.values()) - {places[name]}))
    return "index.json"


@changed_index
def index_forgets(rng, places, name):
    del places[name]
    return "index.json"


@changed_index
def index_names_no_file(rng, places, name):
    places[name] = "model-00009-of-00009.safetensors"
    return places[name]


@changed_index
def index_leaves_the_folder(rng, places, name):
    places[name] = "../elsewhere.safetensors"
    return "index.json"


def flip_a_byte(path):
    """Spoil a file's last number: only its hash can tell."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def missing(rng, folder, part):
    path = rng.choice(weight_files(folder, part))
    path.unlink()
    return path


def no_index(rng, folder, part):
    """Without its index a network looks as if its only file were missing."""
    path = index_of(folder, part)
    path.unlink()
    return path.with_name(path.name.removesuffix(".index.json"))


def config_cut_short(rng, folder, part):
    path = folder / part / "config.json"
    path.write_text(path.read_text()[: rng.randrange(20)])
    return path


def no_config(rng, folder, part):
    path = folder / part / "config.json"
    path.unlink()
    return path


DEFECTS = [
    cut_short,
    with_bytes_at_the_end,
    zeros,
    lfs_pointer,
    noise_in_the_header,
    a_web_page,
    overlapping,
    other_precision,
    whole_numbers,
    other_shape,
    renamed,
    no_tensors,
    index_places_elsewhere,
    index_forgets,
    index_names_no_file,
    index_leaves_the_folder,
    missing,
    no_index,
    config_cut_short,
    no_config,
]
"""Functions of (rng, folder, part) that spoil a sharded network and return the file at fault."""
