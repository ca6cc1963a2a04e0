"""What the synthesizer means: seeds, views and styles in, images out; a seed's image is the same in every batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.cine.cine import FloatArray, IntArray
from services.cine.errors import ModelContractError
from services.cine.views import TARGET_VIEWS, View
from services.models.backend import Backend
from services.models.spec import ECHO_SYNTHESIZER

ANY_STYLE = "any"
"""No style in particular: the model draws one."""

BATCH = ECHO_SYNTHESIZER.max_batch_size
"""Every inference has this many images, the last ones thrown away where fewer are wanted: kernels add up in an order
that depends on the shape of a batch, and an image must not depend on how many were asked for with it."""

_IN_RANGE = 1.01
"""Largest absolute value of a pixel; more than a hundredth over 1 is no rounding."""


@dataclass(frozen=True)
class Draw:
    """One image to be made.

    Attributes:
        view: one of TARGET_VIEWS.
        style: one of the model's styles, or ANY_STYLE.
        seed: of its noise, 0 to 2^64 - 1.
    """

    view: View
    style: str
    seed: int


def noise_of(seed: int) -> FloatArray:
    """Draw the noise of an image: standard normal, [1, 112, 112], numpy's Philox with the seed as its key."""
    shape = ECHO_SYNTHESIZER.inputs[0].shape
    return np.random.Generator(np.random.Philox(key=seed)).standard_normal(shape, np.float32)


async def synthesize(backend: Backend, draws: Sequence[Draw], timeout_s: float) -> FloatArray:
    """Make up to `BATCH` images in one inference.

    Args:
        backend: runs the synthesizer.
        draws: what to make, N of them.
        timeout_s: how long the model may take, s.

    Returns:
        [N, 1, 112, 112] float32 in [-1, 1].

    Raises:
        ModelContractError: the model does not know a style, or its answer is not what the spec says.
        CapacityError, ModelError: as `Backend.infer`.
    """
    styles = backend.identity.styles
    padded = [*draws, *[draws[-1]] * (BATCH - len(draws))]
    outputs = await backend.infer(
        {
            "noise": np.stack([noise_of(draw.seed) for draw in padded]),
            "view": view_indices(padded)[:, None],
            "style": style_indices(padded, styles)[:, None],
        },
        timeout_s,
    )
    images = np.asarray(outputs[ECHO_SYNTHESIZER.outputs[0].name], np.float32)
    if images.shape != (BATCH, *ECHO_SYNTHESIZER.outputs[0].shape) or not _are_pixels(images):
        raise ModelContractError(
            found=f"images of shape {images.shape}, or not all of their pixels in [-1, 1]",
            expected=f"{BATCH} images of the model's spec",
            advice="Check the served model against its golden pair; half precision may overflow.",
        )
    return np.clip(images[: len(draws)], -1.0, 1.0)


def view_indices(draws: Sequence[Draw]) -> IntArray:
    """Count views as the model does, [N] int64."""
    return np.array([TARGET_VIEWS.index(draw.view) for draw in draws], np.int64)


def style_indices(draws: Sequence[Draw], styles: tuple[str, ...]) -> IntArray:
    """Count styles as a model of these styles does, [N] int64.

    Raises:
        ModelContractError: it does not know one.
    """
    return np.array([_style_index(draw.style, styles) for draw in draws], np.int64)


def _style_index(style: str, styles: tuple[str, ...]) -> int:
    if style == ANY_STYLE:
        return len(styles)
    if style not in styles:
        raise ModelContractError(
            found="a style that the served model does not know",
            expected=f"one of {', '.join(styles)}",
            advice="The model was replaced after the request was taken in; ask again.",
        )
    return styles.index(style)


def _are_pixels(images: FloatArray) -> bool:
    return bool(np.isfinite(images).all() and np.abs(images).max() <= _IN_RANGE)
