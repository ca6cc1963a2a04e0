"""Can one tell who was trained on? Membership inference by distance and by loss, and extraction of planted canaries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from services.cine.cine import IntArray
from services.cine.preprocessing import to_tensor
from training.diffusion.condition import Condition, Denoise
from training.diffusion.measures import WATCHED_SIGMAS, squared_errors
from training.evaluation.findings import Rate
from training.evaluation.synthesis.coverage import distances
from training.evaluation.synthesis.numbers import RealArray
from training.evaluation.synthesis.pictures import Pictures

FALSE_POSITIVE_SHARE = 0.01
"""Where an attack is judged: to be sure of a few does more harm than to be right a little more often."""

LOSS_PICTURES = 500
"""Of either kind whose loss is asked for, an equal number."""

_LOSS_SEED = 97


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


def attack_by_loss(members: Pictures, others: Pictures, denoise: Denoise) -> Attack:
    """Attack with the generator's weights: what it denoises better than its like was trained on.

    Reference:
        Carlini et al., "Extracting Training Data from Diffusion Models", 2023, section 5.1.
    """
    return attack(_losses(denoise, members), _losses(denoise, others))


def _losses(denoise: Denoise, pictures: Pictures) -> RealArray:
    """Give the error of each picture, over the watched noise levels, relative to what is usual at each, [N]."""
    clean = torch.from_numpy(to_tensor(pictures.frames))
    shown = Condition(torch.from_numpy(pictures.views), torch.from_numpy(pictures.styles))
    errors = [squared_errors(denoise, clean, shown, sigma, _LOSS_SEED).log() for sigma in WATCHED_SIGMAS]
    return np.asarray(torch.stack(errors).mean(dim=0).double().numpy(), np.float64)


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
