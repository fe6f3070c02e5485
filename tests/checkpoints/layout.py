"""A checkpoint with next to nothing in its files."""

import json

WEIGHTS = "diffusion_pytorch_model.safetensors"
TENSORS = {
    "w": {"dtype": "BF16", "shape": [3, 5], "data_offsets": [0, 30]},
    "b": {"dtype": "BF16", "shape": [5], "data_offsets": [30, 40]},
}
INDEX = {
    "_class_name": "QwenImageLayeredPipeline",
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": [None, None],
    "transformer": ["diffusers", "QwenImageTransformer2DModel"],
    "vae": ["diffusers", "AutoencoderKLQwenImage"],
}


def safetensors(tensors=TENSORS):
    header = json.dumps({"__metadata__": {"format": "pt"}, **tensors}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(40)


def in_shards(network):
    """Keep a network's two tensors in two files."""
    (network / WEIGHTS).unlink()
    places = {}
    for name, entry in TENSORS.items():
        size = entry["data_offsets"][1] - entry["data_offsets"][0]
        header = json.dumps({name: {**entry, "data_offsets": [0, size]}}).encode()
        places[name] = f"diffusion_pytorch_model-{name}.safetensors"
        content = len(header).to_bytes(8, "little") + header + bytes(size)
        (network / places[name]).write_bytes(content)
    (network / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": places}))
