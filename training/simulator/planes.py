"""Choose the cutting plane of a view for a subject."""

from typing import Protocol

from training.simulator.anatomy import Subject
from training.simulator.apical import draw_apical_plane
from training.simulator.long_axis import draw_long_axis_plane
from training.simulator.motion import HeartState
from training.simulator.scene import Scene
from training.simulator.short_axis import ShortAxisPlane, draw_short_axis_plane

VIEWS = ("A2C", "A4C", "PLAX", "PSAX")


class Plane(Protocol):
    """A cut through one heart that can be looked at any time."""

    def scene(self, state: HeartState) -> Scene:
        """Cut the heart at one instant."""
        ...


def draw_plane(subject: Subject, view: str, seed: int) -> Plane:
    """Draw the plane of a view (A2C, A4C, PLAX or PSAX) with its off-axis error.

    Raises:
        ValueError: the view is none of the four.
    """
    if view in ("A2C", "A4C"):
        return draw_apical_plane(subject, view, seed)
    if view == "PLAX":
        return draw_long_axis_plane(subject, seed)
    if view == "PSAX":
        return draw_short_axis_plane(subject, seed)
    raise ValueError(f"unknown view {view!r}, expected one of {', '.join(VIEWS)}")


def name_variety(plane: Plane) -> str:
    """Name what kind of cut it is within its view: the level of a short axis, else `standard`."""
    return plane.level.name.lower() if isinstance(plane, ShortAxisPlane) else "standard"
