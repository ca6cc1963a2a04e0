"""The scanner: turns a scene in mm into grey scan lines, speckle, gain, shadows, haze and compression included."""

from dataclasses import dataclass

import cv2
import numpy as np

from training.simulator.arrays import BoolArray, ByteArray, Float32Array, as_bytes, as_float32
from training.simulator.polar import LEVEL_STEPS_PER_DB, PolarGrid, level_table_db, paint, to_level
from training.simulator.scene import Echo, Look, Scene, draw_look
from training.simulator.speckle import BANK_MM_PER_PX, CLOUD_MM_PER_PX, cloud, look_up, scatterer_bank

COARSE_ROWS, COARSE_BEAMS = 22, 16  # grid on which tissue motion is interpolated
CARRY_MM = 9.0  # how far a moving outline carries the tissue beside it
HANDLE_STEP = 3
BLOOD_BELOW_DB = -22.0
# Gain assumes soft tissue all the way; blood takes 0.35 dB/cm/MHz less, there and back.
BLOOD_EXCESS_DB_PER_MM_MHZ = 2 * 0.35 / 10
EXCESS_SHARE = 0.55  # what sonographers leave of it
EXCESS_LIMIT_DB = 11.0
SIDE_LOBE_SHARE = 0.05  # of the amplitude, smeared over an eighth of the beams
SMOOTHED_OVER_PX = (5, 5)  # neighbourhood in which vendors calm speckle
RENEWAL_MS = 110.0  # time in which the renewed share of the scatterers is replaced
RENEWED_SHARE = 0.8


@dataclass(frozen=True)
class ScannerSettings:
    """What the machine and its user chose, plus what the body does to the beam; decibels are above muscle."""

    depth_mm: float
    opening_deg: float
    frequency_mhz: float
    dynamic_range_db: float
    muscle_grey_fraction: float
    gamma: float
    axial_sigma_mm: float
    lateral_sigma_deg: float
    smoothing_px: float
    speckle_reduction: float  # 0 raw speckle, 1 none left
    cavity_clutter_db: float
    near_clutter_db: float
    noise_db: float
    soft_tissue_db: float
    tgc_error_db: tuple[float, float, float]
    edge_loss_db: tuple[float, float]
    shadows: tuple[tuple[float, float, float], ...]  # (place 0-1 across, width 0-1, loss in dB)


class Scanner:
    """One probe on one chest: everything that stays still over a cine is computed once here."""

    def __init__(self, settings: ScannerSettings, reference: Scene, seed: tuple[int, ...], grid: PolarGrid) -> None:
        self.settings, self.grid, self.seed = settings, grid, seed
        rng = np.random.default_rng([*seed, 53])
        self.places_mm = grid.places_mm(grid.rows, grid.beams)  # [rows, beams, 2]
        self._coarse = grid.places_mm(COARSE_ROWS, COARSE_BEAMS).reshape(-1, 2)  # [rows, beams, 2] -> [N, 2]
        self._shifts = rng.uniform(0, 700, (6, 2)).astype(np.float32)
        self._table_db = level_table_db()
        self._looks = self._draw_looks(reference)
        self._reference = self._handles(reference)
        self._handle_gain_db = self._draw_handle_gain(reference)
        self._gain_db = self._draw_gain_db()
        self._background = self._draw_background(rng)
        self._sigma_px = (
            max(settings.lateral_sigma_deg / np.rad2deg(grid.beam_rad), 0.3),
            max(settings.axial_sigma_mm / grid.row_mm, 0.3),
        )
        self._bank_scale = self._measure_bank_scale()
        self._clutter = self._draw_clutter(rng)

    def scan(self, scene: Scene, time_ms: float) -> ByteArray:
        """Make the grey scan lines [rows, beams] of a scene at a time in ms."""
        settings = self.settings
        grey = self.render_db(scene, time_ms) * np.float32(1 / settings.dynamic_range_db)
        grey = np.clip(grey + np.float32(settings.muscle_grey_fraction), 0, 1)
        if settings.gamma != 1:
            grey = grey ** np.float32(settings.gamma)
        return as_bytes((grey * np.float32(255)).astype(np.uint8))

    def render_db(self, scene: Scene, time_ms: float) -> Float32Array:
        """Make the echo [rows, beams] in dB above plain muscle, vendor smoothing included."""
        settings = self.settings
        levels = paint(scene, self.grid, self._background, self._looks)
        moved, carried_db = self.carry(scene)
        echo_db = self._table_db[levels] + carried_db + self._gain_db + self._blood_excess_db(levels)
        amplitude = np.exp(echo_db * np.float32(np.log(10) / 20))
        amplitude += cv2.blur(amplitude, (max(self.grid.beams // 8, 3), 1)) * np.float32(SIDE_LOBE_SHARE)
        echo = self._scatterers(moved, time_ms) * amplitude[..., None] + self._clutter
        echo += self._noise(time_ms)
        echo = as_float32(cv2.GaussianBlur(echo, (0, 0), self._sigma_px[0], sigmaY=self._sigma_px[1]))
        power = (echo[..., 0] ** 2 + echo[..., 1] ** 2) * self._bank_scale
        power += (cv2.blur(power, SMOOTHED_OVER_PX) - power) * np.float32(settings.speckle_reduction)
        shown_db = as_float32(np.log10(power + np.float32(1e-9)) * np.float32(10))
        if settings.smoothing_px > 0:
            shown_db = as_float32(cv2.GaussianBlur(shown_db, (0, 0), settings.smoothing_px))
        return shown_db

    def blood(self, scene: Scene) -> BoolArray:
        """Where moving blood is cut, [rows, beams]."""
        flowing = np.zeros((self.grid.rows, self.grid.beams), dtype=np.uint8)
        for region in scene.regions:
            if region.is_blood_flowing or region.echo is not Echo.BLOOD:
                corners = np.rint(self.grid.to_px(region.contour)).astype(np.int32)
                cv2.fillPoly(flowing, [corners], 1.0 if region.is_blood_flowing else 0.0)
        return flowing > 0

    def _draw_looks(self, reference: Scene) -> dict[str, Look]:
        names = [region.name for region in reference.regions] + [line.name for line in reference.lines]
        return {name: draw_look(name, [*self.seed, 59]) for name in names}

    def _handles(self, scene: Scene) -> Float32Array:
        """Outline points that carry tissue, [P, 2] mm."""
        return np.concatenate([region.contour[::HANDLE_STEP] for region in scene.regions if region.is_handle])

    def _draw_handle_gain(self, scene: Scene) -> Float32Array:
        """Level in dB of the tissue at each handle, [P]."""
        parts = []
        for region in scene.regions:
            if region.is_handle:
                fading = self._looks[region.name].fading_db
                gain = np.interp(np.linspace(0, 1, len(region.contour)), np.linspace(0, 1, len(fading)), fading)
                if region.fading_db is not None:
                    gain = gain + region.fading_db
                parts.append(gain[::HANDLE_STEP])
        return np.concatenate(parts).astype(np.float32)

    def carry(self, scene: Scene) -> tuple[Float32Array, Float32Array]:
        """Where the tissue at each place came from [rows, beams, 2] mm, and its own level [rows, beams] dB."""
        handles = self._handles(scene)
        values = np.column_stack([handles - self._reference, self._handle_gain_db])  # [P, 3]
        squared = (self._coarse**2).sum(axis=1)[:, None] + (handles**2).sum(axis=1) - 2 * self._coarse @ handles.T
        weights = np.exp(squared * np.float32(-0.5 / CARRY_MM**2))  # [N, P]
        field = (weights @ values) / (weights.sum(axis=1, keepdims=True) + np.float32(0.2))
        field = field.reshape(COARSE_ROWS, COARSE_BEAMS, 3).astype(np.float32)  # [N, 3] -> [rows, beams, 3]
        field = cv2.resize(field, (self.grid.beams, self.grid.rows), interpolation=cv2.INTER_LINEAR)
        return self.places_mm - field[..., :2], field[..., 2]

    def _scatterers(self, moved: Float32Array, time_ms: float) -> Float32Array:
        """Complex scatterers [rows, beams, 2]: most travel with the tissue, some are replaced as time goes."""
        bank = scatterer_bank()
        knot, share = divmod(time_ms / RENEWAL_MS, 1.0)
        angle = share * np.pi / 2
        kept = look_up(bank, moved, BANK_MM_PER_PX, self._shifts[0]) * np.float32(np.sqrt(1 - RENEWED_SHARE))
        for step, weight in ((0, np.cos(angle)), (1, np.sin(angle))):
            shift = self._shifts[1] + np.float32(137.3) * np.float32((int(knot) + step) % 4096)
            kept += look_up(bank, moved, BANK_MM_PER_PX, shift % 768) * np.float32(weight * np.sqrt(RENEWED_SHARE))
        return kept

    def _noise(self, time_ms: float) -> Float32Array:
        """Receiver noise [rows, beams, 2], new in every frame and the same for the same time."""
        start = np.random.default_rng([*self.seed, round(time_ms * 1000) & 0x7FFFFFFF]).integers(0, 512, 2)
        bank = scatterer_bank()
        piece = bank[start[0] : start[0] + self.grid.rows, start[1] : start[1] + self.grid.beams]
        if piece.shape[:2] != (self.grid.rows, self.grid.beams):
            piece = np.roll(bank, -start, axis=(0, 1))[: self.grid.rows, : self.grid.beams]
        return as_float32(piece * self._noise_amplitude)

    def _blood_excess_db(self, levels: ByteArray) -> Float32Array:
        """Gain too much behind blood, [rows, beams] dB."""
        threshold = int((BLOOD_BELOW_DB + 60) * LEVEL_STEPS_PER_DB)
        path = np.cumsum(levels < threshold, axis=0, dtype=np.float32)
        per_row = EXCESS_SHARE * BLOOD_EXCESS_DB_PER_MM_MHZ * self.settings.frequency_mhz * self.grid.row_mm
        return as_float32(np.minimum(path * np.float32(per_row), np.float32(EXCESS_LIMIT_DB)))

    def _draw_gain_db(self) -> Float32Array:
        """Gain error of sliders, edges and shadows, [rows, beams] dB."""
        settings, grid = self.settings, self.grid
        depth = np.linspace(0, 1, grid.rows)
        across = np.linspace(0, 1, grid.beams)
        sliders = np.interp(depth, [0.1, 0.5, 0.9], settings.tgc_error_db)
        edges = settings.edge_loss_db[0] * np.exp(-across / 0.12) + settings.edge_loss_db[1] * np.exp(
            -(1 - across) / 0.12
        )
        gain = sliders[:, None] - edges * (0.4 + 0.6 * depth[:, None])
        gain = gain + 2.2 * look_up(cloud(14.0), self.places_mm, CLOUD_MM_PER_PX, self._shifts[5])
        for place, width, loss_db in settings.shadows:
            shade = np.exp(-0.5 * ((across - place) / width) ** 2) * loss_db
            gain = gain - shade * np.clip(depth[:, None] * 12 - 0.3, 0, 1)
        return gain.astype(np.float32)

    def _draw_background(self, rng: np.random.Generator) -> ByteArray:
        """Levels of the tissue round the heart, [rows, beams]: uneven, layered near the skin."""
        shifts = rng.uniform(0, 500, (3, 2)).astype(np.float32)
        uneven = 7.0 * look_up(cloud(14.0), self.places_mm, CLOUD_MM_PER_PX, shifts[0])
        uneven += 3.5 * look_up(cloud(4.0), self.places_mm, CLOUD_MM_PER_PX, shifts[1])
        stretched = self.places_mm * np.array([0.25, 1.6], dtype=np.float32)
        layers = 4.0 * look_up(cloud(4.0), stretched, CLOUD_MM_PER_PX, shifts[2])
        skin = np.exp(-((self.grid.depths_mm / 16) ** 2))[:, None]
        return np.rint(to_level(self.settings.soft_tissue_db + uneven + layers * (0.5 + skin) + 4.0 * skin)).astype(
            np.uint8
        )

    def _draw_clutter(self, rng: np.random.Generator) -> Float32Array:
        """Echoes that stay still and fill the cavities, [rows, beams, 2]; also sets the noise amplitude."""
        settings, depth = self.settings, self.grid.depths_mm[:, None]
        shifts = rng.uniform(0, 500, (2, 2)).astype(np.float32)
        uneven_db = 5.0 * look_up(cloud(14.0), self.places_mm, CLOUD_MM_PER_PX, shifts[0])
        reach_mm = float(rng.uniform(13, 26))
        near = 10 ** ((settings.near_clutter_db + uneven_db * 0.5) / 20) * np.exp(-((depth / reach_mm) ** 2))
        ripple = 1 + 0.35 * np.cos(2 * np.pi * depth / float(rng.uniform(5, 9)))
        haze_db = settings.cavity_clutter_db + uneven_db + 0.5 * self._gain_db
        amplitude = (10 ** (haze_db / 20) + near * ripple).astype(np.float32)
        still = look_up(
            scatterer_bank(), self.places_mm * np.array([0.6, 1], dtype=np.float32), BANK_MM_PER_PX, self._shifts[4]
        )
        growth = 10 ** ((settings.noise_db + 12 * (depth / self.grid.depth_mm) - 6) / 20)
        self._noise_amplitude = growth[..., None].astype(np.float32)
        clutter: Float32Array = (still * amplitude[..., None]).astype(np.float32)
        return clutter

    def _measure_bank_scale(self) -> np.float32:
        """One over the power of plain muscle after the point spread."""
        plain = look_up(scatterer_bank(), self.places_mm, BANK_MM_PER_PX, self._shifts[0])
        spread = cv2.GaussianBlur(plain, (0, 0), self._sigma_px[0], sigmaY=self._sigma_px[1])
        return np.float32(1 / (spread**2).sum(axis=2).mean())
