"""The parasternal long axis, PLAX: right ventricle on top, left ventricle to the left, root and atrium to the right."""

from dataclasses import dataclass, replace

import numpy as np

from training.simulator.anatomy import Subject
from training.simulator.arrays import Float32Array
from training.simulator.motion import HeartState
from training.simulator.scene import Echo, Line, Region, Scene
from training.simulator.shapes import closed_curve, ellipse, grown, open_curve, points, rotate

# Inner half-width over the largest, along the cavity from the apex (0) to the mitral ring (1).
ALONG = np.linspace(0, 1, 18)
SEPTAL_PROFILE = np.interp(
    ALONG, [0, 0.04, 0.12, 0.3, 0.55, 0.8, 0.93, 1.0], [0.0, 0.38, 0.66, 0.93, 1.0, 0.95, 0.9, 0.86]
)
POSTERIOR_PROFILE = np.interp(
    ALONG, [0, 0.04, 0.12, 0.3, 0.55, 0.8, 0.93, 1.0], [0.0, 0.38, 0.66, 0.93, 1.0, 0.98, 0.93, 0.88]
)


@dataclass(frozen=True)
class LongAxisPlane:
    """One parasternal long-axis cut: pose on the screen (mm, degrees) and shape choices."""

    subject: Subject
    ring_mm: Float32Array  # [2], where the mitral ring's middle lies on the screen at end-diastole
    tilt_deg: float  # apex up positive
    root_lean_deg: float  # root towards the chest wall, measured from the cavity's axis
    off_axis: float  # 0 through the middle; 1 narrows cavity and root by a quarter
    diameter_mm: float
    aorta_seen: bool

    def scene(self, state: HeartState) -> Scene:
        """Cut the heart at one instant."""
        heart = _LongAxis(self, state)
        regions = [replace(r, contour=self._pose(r.contour)) for r in heart.regions()]
        lines = [replace(n, path=self._pose(n.path)) for n in heart.lines()]
        return Scene(regions, lines, self._pose(heart.cavity), rotate(points((-1, 0)), self.tilt_deg)[0])

    def _pose(self, path: Float32Array) -> Float32Array:
        return rotate(path, self.tilt_deg) + self.ring_mm


def draw_long_axis_plane(subject: Subject, seed: int) -> LongAxisPlane:
    """Draw pose and error of a PLAX plane; the septum-aorta angle is 118-135, so the root leans 45-62 degrees."""
    rng = np.random.default_rng([seed, 37])
    off_axis = abs(float(rng.normal(0, 0.35)))
    diameter = subject.lv_width_mm * 1.06 * (1 - 0.18 * min(off_axis, 1.0))
    depth = (
        14
        + subject.rv_wall_mm
        + 0.8 * subject.rv_outflow_mm
        + subject.septum_mm
        + diameter / 2
        + float(rng.normal(3, 4))
    )
    return LongAxisPlane(
        subject=subject,
        ring_mm=points((float(rng.normal(8, 7)), depth + 5))[0],
        tilt_deg=float(np.clip(rng.normal(4, 8), -14, 22)),
        root_lean_deg=float(np.clip(rng.normal(38, 8), 22, 56)),
        off_axis=off_axis,
        diameter_mm=diameter,
        aorta_seen=bool(rng.random() < 0.85),
    )


class _LongAxis:
    """The heart in its own frame: x to the base, y away from the chest wall, origin the mitral ring."""

    def __init__(self, plane: LongAxisPlane, state: HeartState) -> None:
        subject, e = plane.subject, state.contraction
        self.plane, self.state, self.subject = plane, state, subject
        length = subject.lv_length_mm * (1 - subject.length_shortening_fraction * e)
        self.shift = -(subject.lv_length_mm - length)  # the base moves to the apex
        narrowing = 1 - min(1.08 * subject.width_shortening_fraction, 0.45) * e
        half_ed = plane.diameter_mm / 2
        half = half_ed * narrowing
        lift = -0.35 * (half_ed - half)  # the posterior wall moves more than the septum
        x = self.shift - length * (1 - ALONG)
        basal = 1 + (1 / narrowing - 1) * 0.7 * np.clip((ALONG - 0.7) / 0.3, 0, 1) ** 2  # the ring narrows least
        self.top = np.stack([x, lift - half * SEPTAL_PROFILE * basal], axis=1).astype(np.float32)
        self.bottom = np.stack([x, lift + half * POSTERIOR_PROFILE * basal], axis=1).astype(np.float32)
        self.bottom[:, 0] -= 4 * np.clip((ALONG - 0.6) / 0.4, 0, 1).astype(np.float32)
        stretch = subject.lv_length_mm / length
        self.septum_mm = _thickened(half_ed, half, subject.septum_mm, stretch)
        self.wall_mm = _thickened(half_ed, half, subject.posterior_wall_mm, stretch)
        self._build_root(e)
        self.cavity = np.concatenate([self.bottom[::-1], self.top[1:], points(tuple(self.curtain))])
        self._build_around(e)

    def _build_root(self, e: float) -> None:
        """Root, its cusps' hinges and the curtain it shares with the mitral valve."""
        subject, scale = self.subject, 1 - 0.15 * min(self.plane.off_axis, 1.0)
        hinge = self.top[-1]
        lean = np.deg2rad(self.plane.root_lean_deg)
        self.along = np.array([np.cos(lean), -np.sin(lean)], dtype=np.float32)
        self.across = np.array([np.sin(lean), np.cos(lean)], dtype=np.float32)
        steps = np.array([0, 5, 11, 17, 22, 30, 42, 60], dtype=np.float32)
        ring, sinus = subject.aortic_annulus_mm * scale, subject.sinus_mm * scale
        width = np.array(
            [
                ring,
                0.93 * sinus,
                sinus,
                0.96 * sinus,
                0.86 * sinus,
                0.86 * sinus,
                0.92 * subject.ascending_aorta_mm,
                subject.ascending_aorta_mm * 0.95,
            ],
            dtype=np.float32,
        )
        bow = 0.006 * steps**2  # the ascending aorta turns back to the right
        middle = hinge + self.across * np.float32(ring / 2) + steps[:, None] * self.along + bow[:, None] * self.across
        self.root_front = open_curve(middle - self.across * (width / 2)[:, None], 20)
        self.root_back = open_curve(middle + self.across * (width / 2)[:, None], 20)
        self.root_middle, self.root_width = middle, width
        self.curtain = self.root_back[0]
        self.posterior_hinge = self.bottom[-1]

    def _build_around(self, e: float) -> None:
        """Atrium behind the root, right ventricle in front, aorta behind, pericardium."""
        subject = self.subject
        depth = subject.la_depth_mm * 0.86 * (0.92 + 0.16 * e)
        hinge, back = self.posterior_hinge, self.root_back
        away = self.across * np.float32(subject.aortic_wall_mm)
        floor = max(float(back[8, 1]) + depth, float(hinge[1]) + 3)
        right = float(back[14, 0]) + 14
        control = np.stack(
            [
                self.curtain + away,
                back[5] + away,
                back[10] + away,
                back[14] + away + points((3, 0))[0],
                points((right, 0.5 * (float(back[12, 1]) + floor)))[0],
                points((right - 8, floor - 3))[0],
                points((0.5 * (right + float(hinge[0])), floor + 1))[0],
                hinge + points((6, 2.5))[0],
                hinge + points((1, -1))[0],
            ]
        )
        self.atrium = closed_curve(control, 44)
        self.floor = floor
        rv_height = 0.95 * subject.rv_outflow_mm * (1 - 0.22 * e)
        septum_front = self.top[4:] - points((0, self.septum_mm))
        front_root = self.root_front[5:12] - self.across * np.float32(subject.aortic_wall_mm)
        lower = np.concatenate([septum_front, front_root])
        share = np.linspace(0, 1, len(lower), dtype=np.float32)
        rise = rv_height * np.interp(share, [0, 0.2, 0.5, 0.75, 1.0], [0.12, 0.62, 1.0, 0.95, 0.62]).astype(np.float32)
        baseline = float(septum_front[-1, 1])
        upper = np.stack([lower[:, 0], baseline - rise + (lower[:, 1] - baseline) * 0.35], axis=1)
        upper[:, 1] = np.minimum(upper[:, 1], lower[:, 1] - 1.5)
        self.right_ventricle = np.concatenate([lower, upper[::-1]])
        self.rv_front = upper
        self.epicardium = self.bottom + points((0, self.wall_mm))

    def regions(self) -> list[Region]:
        """Filled outlines, back to front."""
        subject = self.subject
        muscle = np.concatenate([self.epicardium[::-1], self.top - points((0, self.septum_mm))])
        tip = self.top[0] - points((self.wall_mm * 0.8, 0))[0]
        muscle = np.concatenate([muscle[:18], tip[None], muscle[18:], self.root_front[5:6]])
        root = np.concatenate([self.root_front, self.root_back[::-1]])
        regions = [
            Region("rv_free_wall", grown(self.right_ventricle, subject.rv_wall_mm), Echo.THIN_WALL),
            Region("la_shell", grown(self.atrium, 2.5), Echo.THIN_WALL),
            Region("lv_wall", muscle, Echo.MUSCLE, is_handle=True),
            Region("rv_cavity", self.right_ventricle, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
            Region("root_shell", grown(root, subject.aortic_wall_mm), Echo.AORTIC_WALL),
            Region("la_cavity", self.atrium, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
            Region("lv_cavity", self.cavity, Echo.BLOOD, is_handle=True, is_blood_flowing=True),
            Region(
                "root_cavity",
                np.concatenate([root, points(tuple(self.curtain), tuple(self.top[-1]))]),
                Echo.BLOOD,
                is_blood_flowing=True,
            ),
        ]
        if self.plane.aorta_seen:
            centre = points((float(self.posterior_hinge[0]) * 0.4 + 6, self.floor + 17))[0]
            regions.insert(0, Region("descending_aorta_wall", ellipse(centre, (14.0, 13.0)), Echo.SOFT_TISSUE))
            regions.append(Region("descending_aorta", ellipse(centre, (11.5, 10.5)), Echo.BLOOD))
        return regions

    def lines(self) -> list[Line]:
        """Thin bright layers: leaflets, cusps, root walls, pericardium."""
        pericardium = np.concatenate(
            [self.epicardium + points((0, 1.5)), points((float(self.posterior_hinge[0]) + 14, self.floor + 3))]
        )
        septum_right = self.top[3:] - points((0, self.septum_mm))
        return [
            *self._mitral(),
            *self._cusps(),
            Line("root_front_wall", self.root_front, 2.4, Echo.AORTIC_WALL, 5.0),
            Line("root_back_wall", self.root_back, 2.6, Echo.AORTIC_WALL, 6.0),
            Line("pericardium", pericardium[2:], 4.0, Echo.PERICARDIUM, 8.0),
            Line("endocardium_posterior", self.bottom[3:], 1.6, Echo.MUSCLE, 4.0),
            Line("septum_right_surface", septum_right, 1.6, Echo.MUSCLE, 4.0),
            Line("septum_left_surface", self.top[4:], 1.6, Echo.MUSCLE, 4.0),
            Line("rv_free_wall_front", self.rv_front, 2.2, Echo.THIN_WALL, 5.0),
            Line("la_wall_floor", self.atrium[22:40], 2.4, Echo.THIN_WALL, 8.0),
        ]

    def _mitral(self) -> list[Line]:
        """Anterior leaflet, bent like a hockey stick, from the curtain; posterior leaflet from the wall; one chord."""
        front, back, w = self.curtain, self.posterior_hinge, np.float32(self.state.mitral_opening)
        chord = back - front
        width = float(np.hypot(*chord))
        inward = np.array([-chord[1], chord[0]], dtype=np.float32) / np.float32(width)  # into the ventricle
        unit = chord / np.float32(width)
        inward = inward if inward[0] < 0 else -inward
        long_mm, short_mm = self.subject.anterior_leaflet_mm, self.subject.posterior_leaflet_mm
        meet = front + unit * np.float32(0.62 * width) + inward * np.float32(7.0)
        shut = [
            front + unit * np.float32(0.22 * width) + inward * 4.5,
            front + unit * np.float32(0.48 * width) + inward * 4.5,
            meet,
        ]
        wide = [
            front + inward * np.float32(0.36 * long_mm) - unit * np.float32(0.02 * long_mm),
            front + inward * np.float32(0.72 * long_mm) - unit * np.float32(0.1 * long_mm),
            front + inward * np.float32(0.98 * long_mm) + unit * np.float32(0.06 * long_mm),
        ]
        anterior = open_curve(np.stack([front, *(a * (1 - w) + b * w for a, b in zip(shut, wide, strict=True))]), 14)
        tip = back + inward * np.float32(0.95 * short_mm) - unit * np.float32(0.12 * short_mm)
        middle = (
            back + inward * np.float32(0.45 * short_mm) * (0.4 + 0.6 * w) - unit * np.float32(0.2 * width) * (1 - w)
        )
        posterior = open_curve(np.stack([back, middle, meet * (1 - w) + tip * w]), 10)
        wall = self.bottom[9] - points((0, 5))[0]
        chordae = open_curve(np.stack([anterior[-1], (anterior[-1] + wall) / 2, wall]), 8)
        return [
            Line("mitral_anterior", anterior, 2.8, Echo.LEAFLET, 7.0),
            Line("mitral_posterior", posterior, 2.5, Echo.LEAFLET, 4.0),
            Line("chordae", chordae, 1.6, Echo.SOFT_TISSUE, 2.0),
        ]

    def _cusps(self) -> list[Line]:
        """Right and non-coronary cusp: parallel to the walls when open, one line in the middle when shut."""
        w = np.float32(self.state.aortic_opening)
        middle, width = self.root_middle, self.root_width
        lines = []
        for name, side in (("aortic_cusp_right", -1), ("aortic_cusp_non", 1)):
            hinge = middle[0] + self.across * np.float32(side * width[0] / 2)
            shut = middle[2] + self.across * np.float32(side * 0.6) - self.along
            belly = middle[1] + self.across * np.float32(side * width[0] * 0.16) - self.along * np.float32(2)
            wide = middle[3] + self.across * np.float32(side * width[2] * 0.36)
            belly_wide = middle[1] + self.across * np.float32(side * width[0] * 0.42)
            path = np.stack([hinge, belly * (1 - w) + belly_wide * w, shut * (1 - w) + wide * w])
            if self.state.aortic_opening < 0.5:
                path = np.concatenate([path, (shut + self.along * np.float32(3))[None] * (1 - w) + path[-1:] * w])
            else:
                path = np.concatenate([path, path[-1:] + self.along * np.float32(1)])
            lines.append(Line(name, open_curve(path, 10), 1.9, Echo.LEAFLET, 3.0))
        return lines


def _thickened(half_ed_mm: float, half_mm: float, wall_mm: float, stretch: float) -> float:
    """Thickness now of an incompressible wall, mm."""
    ring = ((half_ed_mm + wall_mm) ** 2 - half_ed_mm**2) * stretch
    return float(np.sqrt(half_mm**2 + ring) - half_mm)
