"""Where a plane lies in a heart, and how it comes to be on the screen."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from training.simulator.arrays import Float32Array, as_float32


@dataclass(frozen=True)
class Pose:
    """A plane in heart coordinates.

    Attributes:
        origin_mm: [3], where the beams meet (the top of the sector), heart coordinates.
        right, down: [3] unit vectors, square to each other: to the right of the screen, and away from the probe.
    """

    origin_mm: Float32Array
    right: Float32Array
    down: Float32Array

    @cached_property
    def out(self) -> Float32Array:
        """Unit normal of the plane, [3]: right x down."""
        return as_float32(np.cross(self.right, self.down))

    def to_plane(self, points_mm: Float32Array) -> Float32Array:
        """Points [..., 3] in heart coordinates to (right, down, out) [..., 3] mm."""
        axes = np.stack([self.right, self.down, self.out], axis=1)  # [3, 3]
        return as_float32((points_mm - self.origin_mm) @ axes)

    def to_heart(self, points_mm: Float32Array) -> Float32Array:
        """Points [..., 2] or [..., 3] on the plane, mm, to heart coordinates [..., 3]."""
        flat = points_mm if points_mm.shape[-1] == 3 else np.concatenate([points_mm, points_mm[..., :1] * 0], axis=-1)
        return as_float32(flat @ np.stack([self.right, self.down, self.out]) + self.origin_mm)
