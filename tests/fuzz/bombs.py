"""All bombs: files made by hand to do harm, each a function whose first line says what it is."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType

from tests.fuzz import bombs_codec, bombs_dicom, bombs_fragments, bombs_image, bombs_video, bombs_volume

_MODULES = (bombs_dicom, bombs_fragments, bombs_codec, bombs_video, bombs_image, bombs_volume)

BOMBS: dict[str, Callable[[], bytes]] = {
    name: made
    for module in _MODULES
    for name, made in vars(module).items()
    if isinstance(made, FunctionType) and made.__module__ == module.__name__ and not name.startswith("_")
}
