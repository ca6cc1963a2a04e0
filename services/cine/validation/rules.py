"""What is wrong with a cine: one function a rule, each from what was measured."""

from __future__ import annotations

import numpy as np

from services.cine.cine import RegionKind
from services.cine.validation.evidence import Evidence
from services.cine.validation.findings import Finding, FindingCode, Severity
from services.cine.validation.screens import (
    find_changing_beside,
    find_dark,
    find_foreign,
    find_no_sector,
    find_saturated,
    find_split,
    find_strip,
)

NOT_ULTRASOUND = Finding(
    FindingCode.NOT_ULTRASOUND, "The file says that it is not ultrasound. Send an echocardiogram cine loop."
)

# ---- colour ---------------------------------------------------------------------------------------------------------

COLOUR_AREA_FRACTION = 0.004
"""A colour Doppler box colours at least this share of the sector."""

LONE_FRAME_FACTOR = 3.0
"""In one frame alone there must be so many times more: a codec smears the strongest tints in single frames, up to twice
the least area over simulated cines; flow is seen in two of the frames that are looked at, or widely."""

DECLARED_AREA_FRACTION = 0.001
"""Where DICOM names a colour flow region, so much is enough. The region alone is not believed: some vendors name it
whether colour is on or off, and colour that is seen nowhere does not hide the heart."""

TINT_SATURATION = 0.25
"""Middle channel difference of the visible pixels over their brightness, from which a grey map is called tinted. The
warm and cold whites that many consoles show as grey have up to 0.17 and deserve no word; sepia has 0.4 and more."""


def find_colour(evidence: Evidence) -> Finding | None:
    """Look for colour Doppler: enough coloured pixels, distributed as in no B-mode."""
    is_declared = any(region.kind is RegionKind.COLOUR_FLOW for region in evidence.cine.regions)
    least = DECLARED_AREA_FRACTION if is_declared else COLOUR_AREA_FRACTION
    flows = sorted(c.flow_fraction if is_declared or c.is_flow_like else 0.0 for c in evidence.colours)
    widest = flows[-1] if flows else 0.0
    second = flows[-2] if len(flows) > 1 else widest
    if max(second, widest / LONE_FRAME_FACTOR) < least:
        return None
    message = f"Colour Doppler covers {widest:.1%} of the sector. Send the same view without colour."
    return Finding(FindingCode.COLOUR_DOPPLER, message)


def find_tint(evidence: Evidence) -> Finding | None:
    """Look for a tinted grey map: usable, and worth a word."""
    tints = [colouring.saturation for colouring in evidence.colours]
    if not tints or np.median(tints) < TINT_SATURATION or find_colour(evidence):
        return None
    message = "The grey map is tinted. The view is read all the same; a grey map shows more."
    return Finding(FindingCode.ABNORMAL_COLOURING, message, Severity.WARNING)


# ---- time -----------------------------------------------------------------------------------------------------------

FROZEN_MOTION_RATIO = 0.045
"""Mean temporal deviation inside the sector over its mean detail, under which nothing moves: a recorder's and a codec's
noise on a frozen picture make up to 0.036, the calmest simulated cine of a beat has 0.064."""

LEAST_FRAMES = 8
LEAST_DURATION_MS = 460.0
"""A beat at 130 a minute, the fastest heart that is not under stress: less is less than anybody's beat. Eight frames
over it show the valves open and shut."""


def find_still(evidence: Evidence) -> Finding | None:
    """Look for a still: one frame."""
    if evidence.cine.frame_count > 1:
        return None
    return Finding(FindingCode.STILL, "The file holds one frame. Send a cine loop of at least one heart beat.")


def find_frozen(evidence: Evidence) -> Finding | None:
    """Look for frames that do not move inside the sector, whatever runs outside."""
    if evidence.cine.frame_count == 1 or evidence.sector is None:
        return None
    inside = evidence.inside
    if evidence.motion[inside].mean() >= FROZEN_MOTION_RATIO * max(1.0, evidence.detail[inside].mean()):
        return None
    return Finding(FindingCode.FROZEN, "Nothing moves inside the sector. Send a live cine loop, not a frozen image.")


def find_too_short(evidence: Evidence) -> Finding | None:
    """Look for a cine too short to see the heart move; a single frame is a still instead."""
    cine = evidence.cine
    if cine.frame_count == 1:
        return None
    step_ms = float(np.diff(cine.frame_times_ms).mean())
    duration_ms = float(cine.frame_times_ms[-1]) + step_ms
    if cine.frame_count >= LEAST_FRAMES and duration_ms >= LEAST_DURATION_MS:
        return None
    message = (
        f"{cine.frame_count} frames in {duration_ms:.0f} ms are too short: at least {LEAST_FRAMES} frames and "
        f"{LEAST_DURATION_MS:.0f} ms are needed. Send a whole heart beat."
    )
    return Finding(FindingCode.TOO_SHORT, message)


def find_damaged(evidence: Evidence) -> Finding | None:
    """Say how many frames were left out because they are damaged."""
    if not evidence.damaged_count:
        return None
    message = f"{evidence.damaged_count} of {evidence.cine.frame_count} frames are damaged and were left out."
    return Finding(FindingCode.DAMAGED_FRAMES, f"{message} Export the cine again if you can.", Severity.WARNING)


WITHOUT_VIEW = (find_strip, find_dark, find_saturated, find_split, find_foreign, find_no_sector, find_changing_beside)
"""Rules for what shows no single view; the first that applies hides all others but a still."""

WITH_VIEW = (find_colour, find_frozen, find_too_short, find_tint, find_damaged)


def validate(evidence: Evidence) -> tuple[Finding, ...]:
    """Look for what makes a cine unusable.

    Returns:
        What was found, the most telling first; empty for a usable cine.
    """
    blocking = (rule(evidence) for rule in WITHOUT_VIEW)
    first = next((finding for finding in blocking if finding is not None), None)
    found = [first] if first else [rule(evidence) for rule in WITH_VIEW]
    return tuple(finding for finding in (*found, find_still(evidence)) if finding is not None)
