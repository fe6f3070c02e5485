"""A 3D model in Blender: its points, and the materials that its file tells little of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from furniture import Product
from numpy.typing import NDArray

Points = NDArray[np.float32]

Thing = Any
"""Anything of Blender's, which has no types."""

MOST_POLYGONS = 400_000
APART = 3e-4
"""Share of its size by which what lies in one plane is pushed apart, for each material."""

METAL = re.compile(r"metal|chrom|steel|alumi|inox|gold|silver|brass|copper", re.IGNORECASE)
TINT = "Tint"
WHOLE = ("vertex_index", "material_index", "loop_total")
"""Properties of meshes that are whole numbers."""


class UnfitError(Exception):
    """A model of which no picture can be made; says why."""


def load(product: Product, folder: Path) -> Points:
    """Return the points (N, 3) of a product, brought alone into Blender with a radius of 1."""
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)
    file = folder / product.archive.stem / product.file
    bpy.ops.wm.obj_import(filepath=str(file), use_split_objects=False)
    meshes = [thing for thing in bpy.context.scene.objects if thing.type == "MESH"]
    if not meshes:
        raise UnfitError("no mesh")
    if sum(len(thing.data.polygons) for thing in meshes) > MOST_POLYGONS:
        raise UnfitError("too many polygons")
    for material in bpy.data.materials:
        check_textures(material.node_tree.nodes if material.node_tree else ())
    for thing in meshes:
        untangle(thing.data)
    return placed(meshes, np.array(product.turn, np.float32).reshape(3, 3))


def check_textures(nodes: Thing) -> None:
    """Raise an error where the colours of a material are missing; do without its other maps."""
    for node in [node for node in nodes if node.type == "TEX_IMAGE"]:
        if node.image and node.image.size[0]:
            continue
        if any(link.to_socket.name == "Base Color" for link in node.outputs["Color"].links):
            raise UnfitError(f"missing texture {node.image and Path(node.image.filepath).name}")
        nodes.remove(node)


def untangle(mesh: Thing) -> None:
    """Leave no two faces in one place: they would shade each other in patches."""
    import bmesh

    size = float(np.ptp(vertices(mesh), 0).max())
    doubles = twins(mesh, size)
    if len(doubles):
        faces = bmesh.new()
        faces.from_mesh(mesh)
        faces.faces.ensure_lookup_table()
        gone = [faces.faces[place] for place in doubles]
        bmesh.ops.delete(faces, geom=gone, context="FACES")
        faces.to_mesh(mesh)
        faces.free()
    points, normals = column(mesh.vertices, "co", 3), column(mesh.vertices, "normal", 3)
    layer = np.zeros(len(points), np.float32)
    material = np.repeat(
        column(mesh.polygons, "material_index"), column(mesh.polygons, "loop_total")
    )
    np.maximum.at(layer, column(mesh.loops, "vertex_index").astype(int), material % 8)
    moved = points + normals * (layer * size * APART)[:, None]
    mesh.vertices.foreach_set("co", moved.ravel())


def twins(mesh: Thing, size: float) -> NDArray[np.intp]:
    """Return the numbers of faces that lie where an earlier one does."""
    centres, normals = column(mesh.polygons, "center", 3), column(mesh.polygons, "normal", 3)
    areas = np.sqrt(column(mesh.polygons, "area"))[:, None]
    keys = np.hstack([centres * (2e4 / size), areas * (2e4 / size), np.abs(normals) * 50])
    _, first = np.unique(keys.round().astype(np.int32), axis=0, return_index=True)
    return np.setdiff1d(np.arange(len(keys)), first)


def column(rows: Thing, name: str, width: int = 1) -> NDArray[Any]:
    """Return a property of all rows of a mesh, (N,) or (N, width)."""
    values = np.empty(len(rows) * width, np.int32 if name in WHOLE else np.float32)
    rows.foreach_get(name, values)
    return values if width == 1 else values.reshape(-1, width)


def placed(meshes: list[Thing], turn: Points) -> Points:
    """Return the points of meshes once these are turned, centred and scaled to a radius of 1."""
    # The libraries have y upwards and the front at +z, Blender has z upwards and the front at -y.
    upright = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32) @ turn
    clouds = [vertices(thing.data) @ upright.T for thing in meshes]
    points: Points = np.concatenate(clouds)
    low, high = points.min(0), points.max(0)
    middle, radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
    if not np.isfinite(radius) or radius == 0:
        raise UnfitError("no size")
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = upright / radius, -middle / radius
    for thing in meshes:
        thing.matrix_world = matrix.T.tolist()
    points -= middle
    return points / radius


def vertices(mesh: Thing) -> Points:
    """Return those points (N, 3) of a mesh that belong to faces."""
    points: Points = column(mesh.vertices, "co", 3)[np.unique(column(mesh.loops, "vertex_index"))]
    return points


def coat(rng: np.random.Generator) -> bool:
    """Give materials what their description leaves open; tell whether one can be seen through."""
    import bpy

    clear = False
    for material in bpy.data.materials:
        shader = material.node_tree and material.node_tree.nodes.get("Principled BSDF")
        if shader:
            finish(rng, shader.inputs)
            if METAL.search(material.name) and rng.random() < 0.7:
                polish(rng, shader.inputs)
            tinted(material.node_tree, shader.inputs)
            clear |= glazed(rng, material.node_tree, shader.inputs)
    return clear


def finish(rng: np.random.Generator, inputs: Thing) -> None:
    """Set the colour and gloss of a material."""
    colour = inputs["Base Color"]
    # The libraries give colours as screens show them, which the importer takes for light.
    colour.default_value = (*linear(np.array(colour.default_value[:3])), 1)
    # Exponents of zero are what exporters write that know of no gloss.
    if not 0.05 < inputs["Roughness"].default_value < 0.95:
        inputs["Roughness"].default_value = rng.uniform(0.2, 0.8)
    inputs["Specular IOR Level"].default_value = rng.uniform(0.3, 0.6)
    if rng.random() < 0.15:
        inputs["Coat Weight"].default_value = rng.uniform(0.3, 1)
        inputs["Coat Roughness"].default_value = rng.uniform(0.02, 0.2)
    inputs["Emission Strength"].default_value = min(inputs["Emission Strength"].default_value, 0.5)


def linear(shown: Points) -> Points:
    """Return the light of colours as screens show them."""
    return np.where(shown > 0.04045, ((shown + 0.055) / 1.055) ** 2.4, shown / 12.92)


def shown(light: Points) -> Points:
    """Return colours as screens show them; undoes `linear`."""
    return np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, light * 12.92)


def glazed(rng: np.random.Generator, tree: Thing, inputs: Thing) -> bool:
    """Make what is clear thin glass, less clear where it is seen along; tell whether it is."""
    alpha = inputs["Alpha"]
    # Refraction would show the world instead of what the cut-out is put on.
    if inputs["Transmission Weight"].default_value > 0:
        inputs["Transmission Weight"].default_value = 0
        alpha.default_value = min(alpha.default_value, rng.uniform(0.2, 0.45))
    if alpha.is_linked or alpha.default_value > 0.98:
        return False
    inputs["Roughness"].default_value = rng.uniform(0.02, 0.15)
    weight, scale = (tree.nodes.new(f"ShaderNode{name}") for name in ("LayerWeight", "MapRange"))
    weight.inputs["Blend"].default_value = rng.uniform(0.2, 0.45)
    least = max(alpha.default_value, 0.12)
    scale.inputs["To Min"].default_value = least
    scale.inputs["To Max"].default_value = min(1, least + rng.uniform(0.3, 0.7))
    tree.links.new(weight.outputs["Facing"], scale.inputs["Value"])
    tree.links.new(scale.outputs["Result"], alpha)
    return True


def polish(rng: np.random.Generator, inputs: Thing) -> None:
    """Make a material one of metal, which takes its looks from the lamps around."""
    colour = np.array(inputs["Base Color"].default_value[:3])
    bright = colour * (rng.uniform(0.6, 0.95) / max(float(colour.max()), 0.05))
    inputs["Base Color"].default_value = (*bright.clip(0, 1), 1)
    inputs["Metallic"].default_value = rng.uniform(0.7, 1)
    inputs["Roughness"].default_value = rng.uniform(0.12, 0.45)


def tinted(tree: Thing, inputs: Thing) -> None:
    """Lead the colour of a material through a node that views can shift, and obey its cut-outs."""
    tint = tree.nodes.new("ShaderNodeHueSaturation")
    tint.label = TINT
    colour = inputs["Base Color"]
    tint.inputs["Color"].default_value = colour.default_value
    if colour.is_linked:
        source = colour.links[0].from_node
        tree.links.new(colour.links[0].from_socket, tint.inputs["Color"])
        picture = source.type == "TEX_IMAGE" and source.image.channels == 4
        if picture and not inputs["Alpha"].is_linked and inputs["Alpha"].default_value == 1:
            tree.links.new(source.outputs["Alpha"], inputs["Alpha"])
    tree.links.new(tint.outputs["Color"], colour)
