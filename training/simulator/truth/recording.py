"""What truth is computed from: one heart, its beats, the planes it was seen in and the screen it was shown on."""

from dataclasses import dataclass, field, replace
from functools import cached_property

from training.simulator.arrays import TimeArray
from training.simulator.display.screen import Screen
from training.simulator.heart.heart import Heart
from training.simulator.heart.rhythm import HeartState, Rhythm
from training.simulator.views.cutting import CutHeart
from training.simulator.views.pose import Pose
from training.simulator.views.scene import Scene


@dataclass(frozen=True)
class Recording:
    """One cine without its pixels; nothing is computed before it is asked for.

    Attributes:
        heart: the subject's.
        rhythm: its beats in this cine.
        poses: [T], where the plane lay at each frame.
        screen: where the plane lies on the frames, [H, W].
        times_ms: [T], instant of the heart that each frame shows, ms; a frozen cine shows one instant T times.
    """

    heart: Heart
    rhythm: Rhythm
    poses: tuple[Pose, ...]
    screen: Screen
    times_ms: TimeArray
    _cut_already: dict[int, Scene] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def states(self) -> tuple[HeartState, ...]:
        """State of the heart at each frame, [T]."""
        return tuple(self.rhythm.state_at(float(time_ms)) for time_ms in self.times_ms)

    @cached_property
    def cut(self) -> CutHeart:
        """The heart before the first frame's plane."""
        return CutHeart(self.heart, self.poses[0])

    def scene(self, frame: int) -> Scene:
        """What the plane cuts at one frame; cut once."""
        if frame not in self._cut_already:
            self._cut_already[frame] = self.cut.scene(self.states[frame], self.poses[frame])
        return self._cut_already[frame]

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """What the plane cuts at each frame, [T]."""
        return tuple(self.scene(frame) for frame in range(len(self.times_ms)))

    def magnified(self, factor: int) -> "Recording":
        """Give the same recording on a screen of `factor` times as many pixels a side.

        The middles of pixels lie at whole numbers, so that a pixel becomes `factor` x `factor` within its own edges.
        """
        return self._on(factor, self.screen.width_px * factor, self.screen.height_px * factor, (factor - 1) / 2)

    def thinned(self, step_px: int) -> "Recording":
        """Give the same recording on every n-th pixel, the first one included."""
        width, height = -(-self.screen.width_px // step_px), -(-self.screen.height_px // step_px)
        return self._on(1 / step_px, width, height, 0.0)

    def _on(self, factor: float, width: int, height: int, shift_px: float) -> "Recording":
        screen = replace(
            self.screen,
            width_px=width,
            height_px=height,
            probe_x_px=self.screen.probe_x_px * factor + shift_px,
            probe_y_px=self.screen.probe_y_px * factor + shift_px,
            px_per_mm=self.screen.px_per_mm * factor,
        )
        same_cuts = replace(self, screen=screen)
        same_cuts._cut_already.update(self._cut_already)
        return same_cuts
