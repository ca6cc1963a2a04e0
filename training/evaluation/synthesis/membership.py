"""Can one tell who was trained on? Membership inference by distance and by loss, and extraction of planted canaries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from services.cine.cine import IntArray, UInt8Array
from training.evaluation.findings import Rate
from training.evaluation.synthesis.coverage import distances
from training.evaluation.synthesis.numbers import RealArray
from training.evaluation.synthesis.pictures import Pictures

FALSE_POSITIVE_SHARE = 0.01
"""Where an attack is judged: to be sure of a few does more harm than to be right a little more often."""

Loss = Callable[[Pictures], RealArray]
"""A generator's loss on pictures, [N]: of one noise level or the mean of some, drawn alike for every picture."""


@dataclass(frozen=True)
class Attack:
    """How well members are told from others.

    Attributes:
        area: under the receiver operating characteristic; 0.5 is chance.
        found: members that are named where 1 % of others are; 1 % is chance.
    """

    area: float
    found: Rate


def attack(members: RealArray, others: RealArray) -> Attack:
    """Judge an attack by its scores of members [N] and of others [M]; a lower score says member.

    Reference:
        Carlini et al., "Membership Inference Attacks From First Principles", 2022, section III.
    """
    ordered = np.sort(others)
    below = np.searchsorted(ordered, members, side="left")
    equal = np.searchsorted(ordered, members, side="right") - below
    area = float(1 - (below + equal / 2).mean() / len(others))
    allowed = int(FALSE_POSITIVE_SHARE * len(others))  # so many others may lie under the threshold
    return Attack(area, Rate(int((members < ordered[allowed]).sum()), len(members)))


def attack_by_distance(members: RealArray, others: RealArray, made: RealArray) -> Attack:
    """Attack with made pictures alone: what lies nearest to one of them was trained on; features [N, D] each.

    Reference:
        Chen et al., "GAN-Leaks", 2020, section 4.2, full black-box.
    """
    return attack(distances(members, made).min(axis=1), distances(others, made).min(axis=1))


def attack_by_loss(members: Pictures, others: Pictures, loss: Loss) -> Attack:
    """Attack with the generator's weights: what it denoises better than its like was trained on."""
    return attack(loss(members), loss(others))


@dataclass(frozen=True)
class Extraction:
    """What came back of planted canaries.

    Attributes:
        extracted: canaries that are nearer to a made picture than any control of the same making is.
        exposure: mean of log2(controls + 1) - log2(rank among controls), bits; 1 is about chance, and
            log2(controls + 1) the most that so many controls can show.
    """

    extracted: Rate
    exposure: float


def make_canaries(pictures: Pictures, seed: int) -> UInt8Array:
    """Mark pictures so that nobody could guess them: a bright sign of three random strokes in the sector, [N, H, W]."""
    rng = np.random.default_rng([seed, 83])
    marked = pictures.frames.copy()
    for frame in marked:
        rows, columns = np.nonzero(frame)
        lowest, highest = (np.quantile(np.stack([columns, rows], 1), share, axis=0) for share in (0.25, 0.75))
        for _ in range(3):
            start, end = rng.uniform(lowest, highest, (2, 2)).astype(int)
            cv2.line(frame, start.tolist(), end.tolist(), 255, 2)
    return marked


def extract(canaries: RealArray, controls: RealArray, made: RealArray) -> Extraction:
    """Ask whether made pictures give trained-on canaries back, by features [N, D].

    Args:
        canaries: were trained on.
        controls: made in the same way and never trained on; at least as many.
        made: what the generator makes.

    Reference:
        Carlini et al., "The Secret Sharer", 2019, definition 5 (exposure by ranking).
    """
    found, chance = distances(canaries, made).min(axis=1), np.sort(distances(controls, made).min(axis=1))
    ranks: IntArray = 1 + np.searchsorted(chance, found, side="right")
    exposures = np.log2(len(chance) + 1) - np.log2(ranks)
    return Extraction(Rate(int((ranks == 1).sum()), len(ranks)), float(exposures.mean()))
