"""Which frames of a cine are damaged: they are left out, and the rest is read all the same."""

from __future__ import annotations

import numpy as np

from services.cine.cine import THUMBNAIL_SIDE_PX, Cine, IntArray, UInt8Array
from services.cine.errors import CineUnreadableError
from services.cine.media.decoded_frames import DecodedFrames

MOST_DAMAGED_FRACTION = 0.5
"""Where more frames than that do not decode, the file is damaged rather than the frames."""

BANDS = 8
"""A damaged JPEG goes wrong from some row on: frames are compared in so many bands of rows, and the worst counts."""

JUMP_FACTOR = 3.0
JUMP_GREY = 12.0
"""A frame that differs from both neighbours by so many times more, and by so many grey levels more, than these differ
from one another, is damage: the fastest valve moves less in two frames than that, and noise is alike in all three."""


def decode_thumbnails(cine: Cine) -> tuple[UInt8Array, IntArray]:
    """Decode all frames small, and leave out the damaged ones.

    Returns:
        The sound frames, grey, [N, h, w], and their indices in the cine, [N].

    Raises:
        CineUnreadableError: most frames do not decode.
    """
    reduction = cine.reduction_for(min(cine.rows, cine.columns), THUMBNAIL_SIDE_PX)
    frames, indices, errors = [], [], []
    for index in range(cine.frame_count):
        try:
            frames.append(cine.store.grey(index, reduction))
            indices.append(index)
        except CineUnreadableError as error:
            errors.append(error)
            if len(errors) > MOST_DAMAGED_FRACTION * cine.frame_count:
                raise
    thumbnails, kept = np.stack(frames), np.array(indices, np.int64)
    flagged = cine.store.damaged if isinstance(cine.store, DecodedFrames) else frozenset()
    is_sound = ~find_jumps(thumbnails) & ~np.isin(kept, list(flagged))
    if is_sound.mean() < 1 - MOST_DAMAGED_FRACTION:
        return thumbnails, kept
    return (thumbnails, kept) if is_sound.all() else (thumbnails[is_sound], kept[is_sound])


def find_jumps(thumbnails: UInt8Array) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Mark the frames that differ from both neighbours far more than these from one another: [T, h, w] to [T]."""
    jumps = np.zeros(len(thumbnails), np.bool_)
    if len(thumbnails) < 3:
        return jumps
    small = thumbnails[:, ::2, ::2].astype(np.int16)
    count = min(BANDS, small.shape[1])
    bands = small[:, : small.shape[1] // count * count].reshape(len(small), count, -1)
    step = np.abs(np.diff(bands, axis=0)).mean(axis=2)  # [T - 1, BANDS]
    skip = np.abs(bands[2:] - bands[:-2]).mean(axis=2)  # [T - 2, BANDS]
    jumps[1:-1] = (np.minimum(step[:-1], step[1:]) > JUMP_FACTOR * skip + JUMP_GREY).any(axis=1)
    return jumps
