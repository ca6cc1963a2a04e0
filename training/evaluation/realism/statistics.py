"""What one picture measures: grey levels, texture, spectrum; made as the reference was made."""

from __future__ import annotations

import cv2
import numpy as np

from services.cine.cine import BoolArray, FloatArray, UInt8Array

SIDE_PX = 112
"""Rows and columns of a measured picture: its sector cropped to its bounding box, padded to a square, black outside."""

STATISTICS = (
    *("mean", "sd", "dark", "bright", "p25", "p50", "p75", "p95"),
    *("cv_local", "ac_ax1", "ac_ax2", "ac_lat1", "ac_lat2"),
    *("third1", "third2", "third3", "slope"),
)
"""Names, in the order of every table."""

LEAST_SECTOR_PX = 1500
"""A smaller sector is none; the reference left such pictures out."""

ECHO_GREY = 6.0  # blurred grey level above which a pixel belongs to the sector
DARK_GREY, BRIGHT_GREY = 20, 160
HIGH_PASS_SIGMA_PX = 3.0
SLOPE_CYCLES = (4, 50)  # cycles an image, the last one not included
THIRDS = (0, 0.33, 0.66, 1)
_LAGS = {"ac_ax1": (1, 0), "ac_ax2": (2, 0), "ac_lat1": (0, 1), "ac_lat2": (0, 2)}  # rows, columns


def sector_mask(picture: UInt8Array) -> BoolArray:
    """Mark where echo is in a picture [112, 112]: blurred, over a threshold, eroded, its holes closed; [112, 112]."""
    echo = (cv2.GaussianBlur(picture.astype(np.float32), (5, 5), 0) > ECHO_GREY).astype(np.uint8)
    echo = cv2.erode(echo, np.ones((5, 5), np.uint8)).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(echo, cv2.MORPH_CLOSE, np.ones((25, 25), np.uint8)) > 0)


def residual(picture: UInt8Array, mask: BoolArray) -> FloatArray:
    """Give what is left of a picture [112, 112] without its blur (sigma 3 px), 0 outside the mask; [112, 112]."""
    grey = picture.astype(np.float32)
    return np.asarray((grey - cv2.GaussianBlur(grey, (0, 0), HIGH_PASS_SIGMA_PX)) * mask, np.float32)


def measure(picture: UInt8Array) -> dict[str, float] | None:
    """Measure one picture.

    Args:
        picture: [112, 112].

    Returns:
        One value for each of `STATISTICS`: grey levels of 0-255, shares of 0-1, autocorrelations of the residual
        axially (rows) and laterally (columns), slope of the radial log power spectrum. None where the sector is under
        1,500 px or holds one grey level only.
    """
    mask = sector_mask(picture)
    inside = picture[mask].astype(np.float32)
    if len(inside) < LEAST_SECTOR_PX or inside.min() == inside.max():
        return None
    levels = np.percentile(inside, (25, 50, 75, 95))
    found = {
        "mean": inside.mean(),
        "sd": inside.std(),
        "dark": (inside < DARK_GREY).mean(),
        "bright": (inside > BRIGHT_GREY).mean(),
        **dict(zip(("p25", "p50", "p75", "p95"), levels, strict=True)),
        **_texture(picture, mask),
        **_thirds(picture, mask),
        "slope": _slope(picture),
    }
    return {name: float(found[name]) for name in STATISTICS}


def _texture(picture: UInt8Array, mask: BoolArray) -> dict[str, float]:
    """Spread and autocorrelation of the residual."""
    rest = residual(picture, mask)
    local_mean = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), HIGH_PASS_SIGMA_PX)[mask].mean()
    energy = float((rest**2).sum()) + 1e-6
    found = {"cv_local": float(np.sqrt((rest[mask] ** 2).mean()) / (local_mean + 1e-3))}
    for name, (down, right) in _LAGS.items():
        product = rest[: SIDE_PX - down, : SIDE_PX - right] * rest[down:, right:]
        found[name] = float(product.sum()) / energy
    return found


def _thirds(picture: UInt8Array, mask: BoolArray) -> dict[str, float]:
    """Mean grey level of the near, middle and far third of the sector's pixels, cut along rows."""
    cuts = np.quantile(np.where(mask)[0], THIRDS).astype(int)
    found = {}
    for third in range(3):
        rows = slice(cuts[third], cuts[third + 1])
        part = picture[rows][mask[rows]]
        found[f"third{third + 1}"] = float(part.mean(dtype=np.float64)) if len(part) else float("nan")
    return found


def _slope(picture: UInt8Array) -> float:
    """Slope of the log of the radially averaged power over the log of the frequency, 4 to 49 cycles an image."""
    window = np.hanning(SIDE_PX)
    spectrum = np.fft.fftshift(np.fft.fft2(picture.astype(np.float32) * window[:, None] * window))
    y, x = np.indices(spectrum.shape)
    ring = np.hypot(y - SIDE_PX // 2, x - SIDE_PX // 2).astype(int).ravel()
    radial = np.bincount(ring, (np.abs(spectrum) ** 2).ravel()) / np.bincount(ring)
    cycles = np.arange(*SLOPE_CYCLES)
    return float(np.polyfit(np.log(cycles), np.log(radial[cycles] + 1e-9), 1)[0])


def decorrelation(pictures: UInt8Array, lags: tuple[int, ...]) -> dict[int, float]:
    """Correlate the residuals of frames that lie some frames apart, nothing compensated, mean over all such pairs.

    Args:
        pictures: [T, 112, 112], evenly spaced in time.
        lags: how many frames apart, each under T.
    """
    mask = sector_mask(pictures.max(axis=0))
    rest = np.stack([residual(picture, mask) for picture in pictures]).reshape(len(pictures), -1)
    rest /= np.linalg.norm(rest, axis=1, keepdims=True) + 1e-6
    return {lag: float((rest[lag:] * rest[:-lag]).sum(axis=1).mean()) for lag in lags}
