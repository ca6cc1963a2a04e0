"""Scenes made by hand: a ventricle with its wall, an atrium, two leaflets and a pericardium, on a plane in mm."""

from dataclasses import dataclass, replace

import numpy as np

from training.simulator.arrays import BoolArray, Float32Array, as_float32
from training.simulator.heart.surfaces import Surface
from training.simulator.heart.tissues import Tissue
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.settings import ScannerSettings
from training.simulator.views.scene import CENTRE_SLICE, SLICE_OFFSETS_MM, Piece, Scene

GRID = PolarGrid(rows=160, beams=96, start_mm=5.0, depth_mm=150.0, opening_deg=75.0)

CLEAN = ScannerSettings(
    depth_mm=150.0,
    opening_deg=75.0,
    frequency_mhz=2.6,
    aperture_mm=18.0,
    focus_mm=80.0,
    cycles=2.0,
    beam_spread=1.2,
    dynamic_range_db=50.0,
    muscle_grey_fraction=0.5,
    gamma=1.0,
    assumed_attenuation_db=0.5,
    tgc_error_db=(0.0, 0.0, 0.0),
    speckle_reduction=0.0,
    edge_enhancement=0.0,
    smoothing_mm=0.0,
    persistence=0.0,
    cavity_clutter_db=-60.0,
    near_clutter_db=-60.0,
    reverberation_db=-60.0,
    side_lobe_db=-80.0,
    noise_db=-70.0,
    soft_tissue_db=-8.0,
    dropout=0.0,
    edge_loss_db=(0.0, 0.0),
    lung_fraction=(0.0, 0.0),
    shadows=(),
)
"""A machine that adds nothing: no clutter, no noise, no filter."""

USUAL = replace(
    CLEAN,
    speckle_reduction=0.4,
    edge_enhancement=0.2,
    smoothing_mm=0.7,
    persistence=0.15,
    cavity_clutter_db=-20.0,
    near_clutter_db=-8.0,
    reverberation_db=-6.0,
    side_lobe_db=-34.0,
    noise_db=-36.0,
    dropout=1.0,
)


@dataclass(frozen=True)
class Part:
    """One structure: its outline or line [N, 2] mm with normals [N, 2]; the same in all slices."""

    surface: Surface
    points_mm: Float32Array
    normals: Float32Array


def surface(name: str, tissue: Tissue, **more: object) -> Surface:
    """A surface whose keys are an ellipsoid: lateral +x, apex +z."""
    u, v = np.meshgrid(np.linspace(0, np.pi, 9), np.linspace(0, 2 * np.pi, 13), indexing="ij")
    ball = np.stack([25 * np.sin(u) * np.cos(v), 25 * np.sin(u) * np.sin(v), 40 - 40 * np.cos(u)], axis=-1)
    return Surface(name, tissue, as_float32(ball)[None, None], **more)  # type: ignore[arg-type]


def ellipse(what: Surface, centre: tuple[float, float], radii: tuple[float, float], samples: int = 72) -> Part:
    """A closed outline with its outward normals."""
    angle = np.linspace(0, 2 * np.pi, samples, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    normals = circle / np.asarray(radii)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Part(what, as_float32(circle * radii + centre), as_float32(normals))


def line(what: Surface, start: tuple[float, float], stop: tuple[float, float], samples: int = 12) -> Part:
    """A straight layer with its normals."""
    step = as_float32(stop) - as_float32(start)
    points = as_float32(start) + np.linspace(0, 1, samples, dtype=np.float32)[:, None] * step
    normal = as_float32([-step[1], step[0]]) / np.float32(np.hypot(*step))
    return Part(what, points, np.broadcast_to(normal, points.shape))


def make_scene(*parts: Part) -> Scene:
    """Put parts together in painting order; outlines of material surfaces carry the tissue."""
    pieces, points, normals, places, row = [], [], [], [], 0
    for slice_index in range(len(SLICE_OFFSETS_MM)):
        for index, part in enumerate(parts):
            if part.surface.is_sheet and slice_index != CENTRE_SLICE:
                continue
            count = len(part.points_mm)
            pieces.append(Piece(index, slice_index, row, row + count, not part.surface.is_sheet))
            points.append(part.points_mm)
            normals.append(np.pad(part.normals, ((0, 0), (0, 1))))
            places.append(np.stack([np.full(count, 0.5), np.linspace(0, 1, count, endpoint=False)], axis=1))
            row += count
    handles = [(index, part) for index, part in enumerate(parts) if part.surface.is_material]
    handle_mm = [part.points_mm[::4] for _, part in handles]
    return Scene(
        surfaces=tuple(part.surface for part in parts),
        pieces=tuple(pieces),
        points_mm=as_float32(np.concatenate(points)) if points else np.zeros((0, 2), np.float32),
        places=as_float32(np.concatenate(places)) if places else np.zeros((0, 2), np.float32),
        normals=as_float32(np.concatenate(normals)) if normals else np.zeros((0, 3), np.float32),
        handles_mm=np.concatenate(handle_mm) if handle_mm else np.zeros((0, 2), np.float32),
        handle_structures=np.concatenate([np.full(len(p), i) for (i, _), p in zip(handles, handle_mm, strict=True)])
        if handles
        else np.zeros(0, np.int64),
        handle_places=np.zeros((sum(map(len, handle_mm)), 2), np.float32),
        flow_axis=as_float32([0, -1]),
    )


def heart(contraction: float = 0.0, down_mm: float = 0.0) -> Scene:
    """A ventricle over an atrium seen from the apex; contraction 0-1 narrows it, `down_mm` moves all away."""
    narrow = 1 - 0.3 * contraction
    wall = surface("lv_wall", Tissue.MUSCLE, is_material=True, specular_db=3.0)
    cavity = surface("lv_cavity", Tissue.BLOOD, is_material=True, is_blood_flowing=True)
    la_wall = surface("la_wall", Tissue.THIN_WALL, specular_db=8.0)
    la_cavity = surface("la_cavity", Tissue.BLOOD, is_blood_flowing=True)
    leaflet = {"is_sheet": True, "thickness_mm": 2.0, "specular_db": 6.0}
    middle, ring = 62.0 + down_mm, 100.0 + down_mm
    return make_scene(
        ellipse(la_wall, (0, 120 + down_mm), (22, 22)),
        ellipse(la_cavity, (0, 120 + down_mm), (19, 19)),
        ellipse(wall, (0, middle), (24 + 9 * narrow, 44)),
        ellipse(cavity, (0, middle), (23 * narrow, 35)),
        line(surface("mitral_anterior", Tissue.LEAFLET, **leaflet), (-20, ring), (-3, ring - 10 * contraction)),
        line(surface("mitral_posterior", Tissue.LEAFLET, **leaflet), (20, ring), (3, ring - 10 * contraction)),
    )


def inside(part_radii: tuple[float, float], centre: tuple[float, float], grid: PolarGrid = GRID) -> BoolArray:
    """Cells of the grid inside an ellipse, [rows, beams]."""
    away = (grid.places_mm(grid.rows, grid.beams) - np.asarray(centre)) / np.asarray(part_radii)
    within: BoolArray = (away**2).sum(axis=2) < 1
    return within
