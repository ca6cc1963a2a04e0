"""What a cine may cost, checked from its headers before a pixel is decoded and again while decoding: headers lie."""

from __future__ import annotations

from dataclasses import dataclass

from services.cine.errors import LimitExceededError, Reason


@dataclass(frozen=True)
class ReadLimits:
    """Upper bounds of one cine.

    The defaults hold ten seconds of a full screen at 60 frames a second with room to spare.
    """

    max_bytes: int = 256 * 2**20
    max_frames: int = 2_000
    max_side_px: int = 4_096
    max_total_pixels: int = 800_000_000

    def check_bytes(self, size_bytes: int) -> None:
        """Refuse a file that is too large.

        Raises:
            LimitExceededError: with reason LIMIT_BYTES.
        """
        _check(Reason.LIMIT_BYTES, size_bytes, self.max_bytes, "bytes", "Send a shorter or compressed cine.")

    def check_frames(self, frames: int) -> None:
        """Refuse a cine with too many frames.

        Raises:
            LimitExceededError: with reason LIMIT_FRAMES.
        """
        _check(Reason.LIMIT_FRAMES, frames, self.max_frames, "frames", "Send a few heart beats, not the whole study.")

    def check_shape(self, frames: int, rows: int, columns: int) -> None:
        """Refuse a cine whose frames are too many, too large, or too much together.

        Raises:
            LimitExceededError: with reason LIMIT_FRAMES, LIMIT_FRAME_SIZE or LIMIT_PIXELS.
        """
        self.check_frames(frames)
        smaller = "Export the cine at a smaller size."
        _check(Reason.LIMIT_FRAME_SIZE, max(rows, columns), self.max_side_px, "pixels along a side", smaller)
        _check(Reason.LIMIT_PIXELS, frames * rows * columns, self.max_total_pixels, "pixels in all", smaller)


def out_of_memory() -> LimitExceededError:
    """Make the error of a decoder that asked for more memory than there is."""
    return LimitExceededError(
        Reason.LIMIT_MEMORY,
        found="a cine whose decoder runs out of memory",
        expected="one that fits",
        advice="Send a shorter or smaller cine; a damaged one may only claim to be that large.",
    )


def _check(reason: Reason, found: int, limit: int, unit: str, advice: str) -> None:
    if found > limit:
        raise LimitExceededError(reason, found=f"{found} {unit}", expected=f"at most {limit}", advice=advice)
