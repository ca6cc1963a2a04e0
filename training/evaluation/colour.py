"""Measures the distributions of chroma that the colour rule compares with: B-mode, grey and tinted, and colour flow."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from services.cine.budget import ReadLimits
from services.cine.cine import FloatArray
from services.cine.reading import read_cine
from services.cine.sector import find_sector
from services.cine.validation.colour import cumulative, strongest, untinted_chroma
from training.evaluation.findings import Order, make, plan
from training.evaluation.transports import pack
from training.evaluation.workers import measure_all

VARIANTS = ("b_mode", "tinted", "colour_doppler")


def measure_references(cines: int, seed: int, workers: int) -> dict[str, FloatArray]:
    """Give the mean distribution of the most coloured pixels at `LEVELS` by variant, [L] each.

    Rainbow maps are left out: they are drawn to be as coloured as flow, and no scanner ships them for B-mode.
    """
    orders = [o for o in plan(cines, seed) if o.variant in VARIANTS and o.kind != "rainbow"]
    shares = measure_all(measure_shares, orders, workers, "measuring colours")
    return {variant: _mean(orders, shares, variant) for variant in VARIANTS}


def _mean(orders: Sequence[Order], shares: Sequence[FloatArray | None], variant: str) -> FloatArray:
    group = [one for order, one in zip(orders, shares, strict=True) if order.variant == variant and one is not None]
    return np.asarray(np.mean(group, axis=0), np.float32)


def measure_shares(order: Order) -> FloatArray | None:
    """Give the distribution in the most coloured of some frames of a cine, [L]; None where no sector is found."""
    cv2.setNumThreads(1)
    cine = read_cine(pack(make(order), order.transport, order.quality), ReadLimits())
    sector = find_sector(cine.thumbnails(), cine.rows, cine.columns)
    if sector is None:
        return None
    reduction = cine.reduction_for(min(cine.rows, cine.columns), 128)
    inside = sector.mask(reduction)
    frames = [cine.store.colour(index, reduction) for index in range(0, cine.frame_count, 5)]
    shares = [cumulative(strongest(untinted_chroma(frame, inside)[inside])) for frame in frames]
    return min(shares, key=lambda share: float(share.sum()))
