"""The scanner: turns what a plane cuts, in mm, into grey scan lines."""

from dataclasses import replace

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, Float32Array, as_bytes, as_float32
from training.simulator.heart.tissues import Tissue
from training.simulator.scanner.artefacts import Clutter, ReceiverNoise, add_side_lobes, draw_lung
from training.simulator.scanner.background import draw_background
from training.simulator.scanner.compression import Display
from training.simulator.scanner.gain import Attenuation, loss_db, slider_gain_db
from training.simulator.scanner.grid import PolarGrid
from training.simulator.scanner.layers import Points, gather_points
from training.simulator.scanner.looks import draw_looks
from training.simulator.scanner.motion import CARRY_MM, FADING_MM, make_carrier
from training.simulator.scanner.paint import Painter
from training.simulator.scanner.point_spread import PointSpread
from training.simulator.scanner.settings import ScannerSettings
from training.simulator.scanner.speckle import RENEWAL_MS, Scatterers
from training.simulator.views.scene import CENTRE_SLICE, Scene

DB_TO_LOG_AMPLITUDE = np.float32(np.log(10) / 20)
CLUTTER_GAIN_SHARE = np.float32(0.5)
"""Of the gain that clutter gets: it takes other ways than through the blood. A4C stills: left atrium 11 grey above the
ventricle's cavity, where the full gain would give 25."""

FACING_DB = {Tissue.MUSCLE: 2.5, Tissue.THIN_WALL: 4.5}
"""Half of what lies between a wall that faces the beam and one along it: fibres lie in the wall, and a thin wall (the
right ventricle's, the atria's septum) along the beam is lost; real outlines are rarely closed."""

CALIBRATION_MS = (0.0, 1e5, 2e5, 3e5)  # instants far enough apart for four independent sets of scatterers
CALIBRATION_ROWS = 31
PARTS = frozenset({"moving_speckle", "specular_angle", "far_gain"})
"""What can be left out beside what settings of zero leave out."""

NEITHER_COSINE = np.float32(np.sqrt(0.5))  # of the angle at which a surface neither gains nor loses


class Scanner:
    """One probe on one chest: everything that stays still over a cine is computed once here.

    A frame depends on its own time only; frames may be asked for in any order.
    """

    def __init__(
        self,
        settings: ScannerSettings,
        reference: Scene,
        seed: tuple[int, ...],
        grid: PolarGrid,
        without: frozenset[str] = frozenset(),
    ) -> None:
        """Set up.

        Args:
            settings: of the machine, its user and the chest.
            reference: the scene in which all tissue is where its scatterers are laid out.
            seed: of the recording.
            grid: scan lines.
            without: which of `PARTS` to leave out, to find out what each is worth.

        Raises:
            ValueError: a part is not known.
        """
        if not without <= PARTS:
            raise ValueError(f"unknown parts {sorted(without - PARTS)}, expected some of {sorted(PARTS)}")
        self._without = without
        self.settings, self.grid, self.seed = settings, grid, seed
        self.places_mm = grid.places_mm(grid.rows, grid.beams)  # [rows, beams, 2]
        rng = np.random.default_rng([*seed, 53])
        surfaces = reference.surfaces
        self._looks = draw_looks(surfaces, seed, settings.dropout)
        self._reference_mm = reference.handles_mm
        self._carrier = make_carrier(grid)
        self._facing_db = as_float32([0 if s.is_sheet else FACING_DB.get(s.tissue, 0) for s in surfaces])
        self._flows = np.zeros(256, dtype=np.uint8)
        self._flows[1 : len(surfaces) + 1] = [s.is_blood_flowing for s in surfaces]
        self._painter = Painter(surfaces, grid, self._looks, draw_background(settings.soft_tissue_db, grid, rng))
        self._attenuation = Attenuation(settings, surfaces, grid)
        self._scatterers = Scatterers(rng, RENEWAL_MS / (1 - settings.persistence))
        lung = draw_lung(settings, grid, rng)
        self._loss_db = loss_db(settings, grid, rng) + lung.loss_db
        self._clutter = Clutter(settings, grid, self._loss_db - lung.loss_db, lung, rng)
        self._noise = ReceiverNoise(settings, grid, seed)
        self._spread = PointSpread(settings, grid)
        self._display = Display(settings, grid)
        self._gain_db = slider_gain_db(settings, grid)
        self._scale = self._measure_scale()  # [rows, 1]

    def scan(self, scene: Scene, time_ms: float) -> ByteArray:
        """Make the grey scan lines [rows, beams] of a scene at a time in ms."""
        return self._display.to_grey(self.render_db(scene, time_ms))

    def render_db(self, scene: Scene, time_ms: float) -> Float32Array:
        """Make the echo [rows, beams] in dB above plain muscle, the vendor's filters included."""
        points = self._points(scene)
        labels = self._painter.labels(scene, points.px)
        power = add_side_lobes(self._painter.power(scene, points, labels), self.settings.side_lobe_db)
        moved_mm = self._moved_mm(scene)
        level_db = self._level_db(scene, points) + self._loss_db + self._scatterers.texture_db(moved_mm)
        amplitude = np.sqrt(power) * np.exp(level_db * DB_TO_LOG_AMPLITUDE)
        gain_db = self._gain_db
        if "far_gain" not in self._without:
            gain_db = gain_db + self._attenuation.excess_db(labels[CENTRE_SLICE])
        clutter_gain = np.exp(gain_db * (DB_TO_LOG_AMPLITUDE * CLUTTER_GAIN_SHARE))
        tissue = _times(self._scatterers.at(moved_mm, time_ms), amplitude * np.exp(gain_db * DB_TO_LOG_AMPLITUDE))
        echo = tissue + _times(self._clutter.at(time_ms), clutter_gain) + self._noise.at(time_ms)
        real, imaginary = cv2.split(self._spread(echo))
        return self._display.to_db(as_float32(real * real + imaginary * imaginary) * self._scale)

    def labels(self, scene: Scene) -> ByteArray:
        """Index of the closed surface painted last at each place, +1, 0 for what is round the heart: [rows, beams]."""
        return as_bytes(self._painter.labels(scene, self.grid.to_px(scene.points_mm))[CENTRE_SLICE].copy())

    def blood(self, scene: Scene) -> BoolArray:
        """Where moving blood is cut, [rows, beams]."""
        flowing: BoolArray = self._flows[self.labels(scene)] > 0
        return flowing

    def carry(self, scene: Scene) -> tuple[Float32Array, Float32Array]:
        """Where the tissue at each place came from [rows, beams, 2] mm, and its own level [rows, beams] dB."""
        return self._moved_mm(scene), self._level_db(scene, self._points(scene))

    def _points(self, scene: Scene) -> Points:
        points = gather_points(scene, self.grid, self._looks)
        if "specular_angle" in self._without:
            return replace(points, cosine=np.full_like(points.cosine, NEITHER_COSINE))
        return points

    def _moved_mm(self, scene: Scene) -> Float32Array:
        """Where the tissue at each place came from, [rows, beams, 2] mm."""
        if len(scene.handles_mm) == 0 or "moving_speckle" in self._without:
            return self.places_mm
        moved = scene.handles_mm - self._reference_mm
        return self.places_mm - self._carrier.spread(scene.handles_mm, moved, CARRY_MM)

    def _level_db(self, scene: Scene, points: Points) -> Float32Array:
        """Level of the muscle beside its tissue's own: what fades, and what faces the beam; [rows, beams] dB."""
        chosen = np.flatnonzero((points.slices == CENTRE_SLICE) & (self._facing_db[points.structures] > 0))
        if len(chosen) == 0:
            return np.zeros((self.grid.rows, self.grid.beams), dtype=np.float32)
        structures = points.structures[chosen]
        fading = points.look_db[chosen] - self._looks.shift_db[structures]
        facing = self._facing_db[structures] * (2 * points.cosine[chosen] ** 2 - 1)
        return self._carrier.spread(scene.points_mm[chosen], (fading + facing)[:, None], FADING_MM)

    def _measure_scale(self) -> Float32Array:
        """One over the power of plain muscle after the point spread, [rows, 1]."""
        plain = [self._spread(self._scatterers.at(self.places_mm, time_ms)) for time_ms in CALIBRATION_MS]
        power = np.mean([(echo**2).sum(axis=2).mean(axis=1) for echo in plain], axis=0)
        smooth = cv2.blur(as_float32(power)[:, None], (1, CALIBRATION_ROWS), borderType=cv2.BORDER_REPLICATE)
        return as_float32(1 / as_float32(smooth).reshape(-1, 1))


def _times(echo: cv2.typing.MatLike, factor: Float32Array) -> Float32Array:
    """Complex echoes [rows, beams, 2] times a real field [rows, beams]."""
    return as_float32(cv2.multiply(echo, cv2.merge([factor, factor])))
