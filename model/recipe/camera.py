"""A studio in Blender: soft light from a room and some lamps, and the view of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, radians, sin
from pathlib import Path

import numpy as np
from meshes import TINT, Points
from PIL import Image

SENSOR = 36.0
"""Width in millimetres of the film that focal lengths are meant for."""

HUE_SHARE = 0.3


@dataclass(frozen=True)
class View:
    """How a product is seen: angles in radians, focal length in millimetres, hue in turns."""

    azimuth: float
    elevation: float
    roll: float
    lens: float
    hue: float
    saturation: float

    def axes(self) -> Points:
        """Return the rows right, up and back of the camera."""
        around, above = self.azimuth, self.elevation
        right = np.array([cos(around), sin(around), 0])
        back = np.array([sin(around) * cos(above), -cos(around) * cos(above), sin(above)])
        up = np.cross(back, right)
        tilted = right * cos(self.roll) + up * sin(self.roll)
        return np.array([tilted, np.cross(back, tilted), back], np.float32)


def draw_view(rng: np.random.Generator, *, flat: bool) -> View:
    """Return a random view, as a studio would choose it."""
    low, high = (25, 70) if flat else (5, 35) if rng.random() < 0.8 else (-2, 55)
    shifted = rng.random() < HUE_SHARE
    return View(
        azimuth=radians(rng.uniform(-65, 65)),
        elevation=radians(rng.uniform(low, high)),
        roll=radians(rng.normal(0, 2)),
        lens=rng.uniform(50, 135),
        hue=rng.uniform(0.08, 0.92) if shifted else 0.0,
        saturation=rng.uniform(0.7, 1.4) if shifted else 1.0,
    )


def shift(view: View) -> None:
    """Shift all colours of the model together."""
    import bpy

    for material in bpy.data.materials:
        for node in material.node_tree.nodes if material.node_tree else ():
            if node.label == TINT:
                node.inputs["Hue"].default_value = (view.hue + 0.5) % 1
                node.inputs["Saturation"].default_value = view.saturation


def open_studio(threads: int, samples: int) -> None:
    """Set up how pictures are rendered, and an empty studio with a camera."""
    import bpy

    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.film_transparent = True
    scene.render.use_persistent_data = True
    scene.render.threads_mode, scene.render.threads = "FIXED", threads
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.image_settings.compression = 0
    scene.view_settings.view_transform = "Standard"
    cycles = scene.cycles
    cycles.samples, cycles.use_adaptive_sampling = samples, False
    cycles.use_light_tree = False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_quality, cycles.denoising_prefilter = "FAST", "NONE"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 2, 2, 2
    cycles.transparent_max_bounces, cycles.sample_clamp_indirect = 12, 3
    cycles.caustics_reflective = cycles.caustics_refractive = False
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)


def light(rng: np.random.Generator, view: View) -> None:
    """Light the studio anew: a soft room, and one to three lamps around the camera."""
    import bpy

    for lamp in [thing for thing in bpy.data.objects if thing.type == "LIGHT"]:
        bpy.data.lights.remove(lamp.data)
    room, total = rng.uniform(0.15, 0.7), rng.uniform(1, 1.5)
    paint_room(rng, room)
    shares = rng.dirichlet(np.ones(rng.integers(1, 4)) * 2) * (total - room)
    for number, share in enumerate(shares):
        hang_lamp(rng, view, float(share), key=number == 0)


def paint_room(rng: np.random.Generator, strength: float) -> None:
    """Make the world brighter above than below, in greys that lean to some colour."""
    import bpy

    world = bpy.data.worlds.new("Room")
    bpy.context.scene.world = world
    # The room is so even that its map, which takes longer than a picture, is of no use.
    world.cycles.sampling_method = "NONE"
    tree = world.node_tree
    tree.nodes.clear()
    place = tree.nodes.new("ShaderNodeTexCoord")
    split = tree.nodes.new("ShaderNodeSeparateXYZ")
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    background = tree.nodes.new("ShaderNodeBackground")
    output = tree.nodes.new("ShaderNodeOutputWorld")
    tint = 1 + rng.normal(0, 0.05, 3)
    for stop, value in zip(ramp.color_ramp.elements, (rng.uniform(0.3, 0.9), 1.2), strict=True):
        stop.color = (*(tint * value), 1)
    background.inputs["Strength"].default_value = strength
    tree.links.new(place.outputs["Generated"], split.inputs["Vector"])
    tree.links.new(split.outputs["Z"], ramp.inputs["Fac"])
    tree.links.new(ramp.outputs["Color"], background.inputs["Color"])
    tree.links.new(background.outputs["Background"], output.inputs["Surface"])


def hang_lamp(rng: np.random.Generator, view: View, strength: float, *, key: bool) -> None:
    """Hang a square lamp that faces the product: the key near the camera, others anywhere."""
    import bpy

    lamp = bpy.data.lights.new("Lamp", "AREA")
    reach = rng.uniform(2.5, 5)
    lamp.size = reach * rng.uniform(0.15, 0.8)
    # So strong that white paper which faces the lamp shines with `strength`.
    lamp.energy = strength * (pi * reach) ** 2
    lamp.color = (1 + rng.normal(0, 0.04, 3)).clip(0, 1.2).tolist()
    around = view.azimuth + radians(rng.uniform(-60, 60) if key else rng.uniform(-160, 160))
    axes = View(around, radians(rng.uniform(15, 75)), 0, 0, 0, 1).axes()
    thing = bpy.data.objects.new("Lamp", lamp)
    thing.matrix_world = pose(axes, axes[2] * reach)
    thing.visible_camera = False
    bpy.context.scene.collection.objects.link(thing)


def pose(axes: Points, place: Points) -> list[list[float]]:
    """Return the columns of the matrix of a thing with such axes at a place."""
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = axes.T, place
    columns: list[list[float]] = matrix.T.tolist()
    return columns


def aim(points: Points, view: View, side: int) -> None:
    """Put the camera where the view wants it, and cut its frame to the product."""
    import bpy

    scene, axes = bpy.context.scene, view.axes()
    distance = max(2 * view.lens / SENSOR, 1.5)
    right, up, back = axes @ points.T
    screen = np.array([right, up]) / (distance - back)
    low, high = screen.min(1), screen.max(1)
    span = (high - low).max()
    wide, tall = (max(8, round(float(side * extent / span))) for extent in high - low)
    # A pixel on either side, for what filters blur.
    width = span / side * (wide + 2)
    camera = scene.camera.data
    camera.sensor_fit, camera.sensor_width, camera.lens = "HORIZONTAL", SENSOR, SENSOR / width
    camera.shift_x, camera.shift_y = ((low + high) / 2 / width).tolist()
    camera.clip_start, camera.clip_end = 0.01, 100
    scene.camera.matrix_world = pose(axes, axes[2] * distance)
    scene.render.resolution_x, scene.render.resolution_y = wide + 2, tall + 2
    scene.render.resolution_percentage = 100


def shoot(file: Path) -> Image.Image:
    """Return the picture that the camera takes; passes it through a file."""
    import bpy

    bpy.ops.render.render()
    bpy.data.images["Render Result"].save_render(str(file))
    with Image.open(file) as image:
        return image.convert("RGBA")
