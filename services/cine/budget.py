"""What a cine may cost, checked from its headers before a pixel is decoded and again while decoding: headers lie."""

from __future__ import annotations

from dataclasses import dataclass

from services.cine.errors import LimitExceededError, Reason

_FREELY_INFLATED_BYTES = 64 * 2**20
_WHOLE = "The file is damaged or not a cine; send the original again."


@dataclass(frozen=True)
class ReadLimits:
    """Upper bounds of one cine.

    The defaults hold ten seconds of a full screen at 60 frames a second with room to spare.

    Attributes:
        max_bytes: the file, bytes.
        max_frames: frames.
        max_side_px: rows, and columns, px.
        max_total_pixels: rows times columns times frames.
        max_depth: sequences inside one another; structured reports, the deepest objects there are, need about ten.
        max_elements: attributes, items and fragments together; an enhanced object of 2,000 frames has fewer.
        max_text_bytes: the longest attribute that is read, pixels left out; a whole 16-bit palette is half of it.
        max_inflated_bytes: a deflated object once inflated, bytes.
        max_inflation_ratio: how often larger an inflated object may be; deflate itself ends at 1,032. It counts from
            64 MiB on, because a short cine that is nearly black reaches it honestly.
    """

    max_bytes: int = 256 * 2**20
    max_frames: int = 2_000
    max_side_px: int = 4_096
    max_total_pixels: int = 800_000_000
    max_depth: int = 32
    max_elements: int = 100_000
    max_text_bytes: int = 256 * 2**10
    max_inflated_bytes: int = 512 * 2**20
    max_inflation_ratio: int = 100

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

    def check_depth(self, depth: int) -> None:
        """Refuse sequences that are nested too deep.

        Raises:
            LimitExceededError: with reason LIMIT_DEPTH.
        """
        _check(Reason.LIMIT_DEPTH, depth, self.max_depth, "nested sequences", _WHOLE)

    def check_elements(self, count: int) -> None:
        """Refuse a header of too many parts.

        Raises:
            LimitExceededError: with reason LIMIT_TEXT.
        """
        _check(Reason.LIMIT_TEXT, count, self.max_elements, "attributes, items and fragments", _WHOLE)

    def check_text(self, size_bytes: int) -> None:
        """Refuse an attribute that is too long.

        Raises:
            LimitExceededError: with reason LIMIT_TEXT.
        """
        _check(Reason.LIMIT_TEXT, size_bytes, self.max_text_bytes, "bytes in one attribute", _WHOLE)

    def most_inflated_bytes(self, size_bytes: int) -> int:
        """Give how large `size_bytes` of deflated data may become, bytes."""
        return min(self.max_inflated_bytes, max(_FREELY_INFLATED_BYTES, self.max_inflation_ratio * size_bytes))

    def check_inflated(self, size_bytes: int, deflated_bytes: int) -> None:
        """Refuse deflated data that become too large, or too many times larger.

        Raises:
            LimitExceededError: with reason LIMIT_INFLATION.
        """
        most = self.most_inflated_bytes(deflated_bytes)
        _check(Reason.LIMIT_INFLATION, size_bytes, most, "or more bytes when inflated", "Send it uncompressed.")


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
