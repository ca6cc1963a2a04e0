"""Rules for screens that show no single B-mode view: strips, several sectors, other pictures, too dark, too bright."""

from __future__ import annotations

import numpy as np

from services.cine.cine import BoolArray, Region, RegionKind
from services.cine.validation.evidence import Evidence
from services.cine.validation.findings import Finding, FindingCode
from services.cine.validation.layout import (
    DETAIL_GREY,
    VISIBLE_GREY,
    Part,
    StripMotion,
    around,
    flat_fraction,
    least_reach,
    parts,
    top_width,
    upright_fraction,
    waist,
)
from services.cine.validation.probes import is_curved_probe

NO_SECTOR = Finding(
    FindingCode.NO_SECTOR,
    "No ultrasound sector was found. Send a B-mode cine whose sector fills a twelfth of the image or more.",
)

# ---- a strip of spectral Doppler or M-mode --------------------------------------------------------------------------

LEAST_STRIP_DETAIL = 0.25
"""A strip fills at least this share of the lower half of the screen; the axes of a chart fill less."""

LEAST_STRIP_MOVED_GREY = 0.2
"""A live strip changes more than this from frame to frame, grey levels; a running ECG or clock less."""

MOST_CURSOR_FRACTION = 0.1
"""Share of the columns that hold the change under a sweeping cursor: its gap is a few columns wide; a heart moves over
a sixth of the screen or more."""

MOST_SCROLL_RATIO = 0.88
"""A scrolling strip shifted back leaves less than this of its change. Echo shifted sideways leaves more than all."""

LEAST_STEEPNESS = 1.38
"""An M-mode strip changes this much more from row to row than from column to column: walls are lines along time. A
spectrum is speckle under an envelope that rises and falls."""

STRIP_BESIDE_FRACTION = 0.27
"""Area of one part beside the sector over the sector's: a strip, another sector. Pictures stored before, in a column at
the side, have up to a fifth."""

STRIP_WIDTH_FRACTION = 0.5
STRIP_BOX_FILL = 0.8
STRIP_TOP_WIDTH = 0.7
STRIP_HEIGHT_FRACTION = 0.08
"""A strip is wide, has the shape of a box, and is higher than a row of keys."""

MOST_LIT_STRIP = 0.8
"""Share of the screen that is visible under a strip; a landscape that a camera pans over fills it."""

UPRIGHT_FRACTION = 0.3
UPRIGHT_TOP_WIDTH = 0.4
MOST_BRIDGED_REACH = 0.9
"""Share of the height of the outline with upright sides away from the border: a strip has it, under a sector that
begins near a point, and so has a sector that is cut at its sides. Between strip and sector the outline bridges what is
black: in 25 simulated strips of that shape echo reaches across at most 0.85 of it in some row; in five cut sectors
across 0.97, 0.97, 0.97, 0.87 and, a dark one, 0.35."""


def find_strip(evidence: Evidence) -> Finding | None:
    """Look for spectral Doppler or M-mode: named by DICOM, sweeping, scrolling, or standing beside a small sector."""
    declared = {region.kind for region in evidence.cine.regions}
    if RegionKind.SPECTRAL in declared:
        return _strip(FindingCode.SPECTRAL_DOPPLER)
    if RegionKind.M_MODE in declared:
        return _strip(FindingCode.M_MODE)
    is_lit = (evidence.frame > VISIBLE_GREY).mean() > MOST_LIT_STRIP
    if not ((_is_running(evidence.strip) and not is_lit) or _is_standing(evidence)):
        return None
    return _strip(_kind(evidence))


LEAST_CHANGED_BESIDE = 0.012
"""Share of the picture that changes beside the sector, thin lines left out. Variants of one real B-mode cine have 0,
running ECG and pointer among them, and 0.010 under a camera that shakes. Strips that fill from one end under or beside
it have 0.011 and more; one of 32 is under the threshold."""


def find_changing_beside(evidence: Evidence) -> Finding | None:
    """Look for a strip that fills while the heart beats beside it, too small or too empty for the other rules."""
    if evidence.sector is None or evidence.changed_beside < LEAST_CHANGED_BESIDE:
        return None
    return _strip(_kind(evidence))


def _kind(evidence: Evidence) -> FindingCode:
    return FindingCode.M_MODE if evidence.strip.steepness >= LEAST_STEEPNESS else FindingCode.SPECTRAL_DOPPLER


def _strip(code: FindingCode) -> Finding:
    name = "an M-mode" if code is FindingCode.M_MODE else "a spectral Doppler"
    return Finding(code, f"The screen shows {name} strip. Send the two-dimensional view alone, filling the screen.")


def _is_running(motion: StripMotion) -> bool:
    if motion.detail_fraction < LEAST_STRIP_DETAIL or motion.moved_grey < LEAST_STRIP_MOVED_GREY:
        return False
    return motion.columns_fraction <= MOST_CURSOR_FRACTION or motion.shift_ratio <= MOST_SCROLL_RATIO


def _is_standing(evidence: Evidence) -> bool:
    if evidence.sector is None or evidence.strip.detail_fraction < LEAST_STRIP_DETAIL:
        return False
    least = STRIP_BESIDE_FRACTION * evidence.inside.mean()
    if any(_is_strip(part) and part.area_fraction >= least for part in evidence.beside):
        return True
    if upright_fraction(evidence.inside) < UPRIGHT_FRACTION or top_width(evidence.inside) >= UPRIGHT_TOP_WIDTH:
        return False
    return least_reach(evidence.echo, evidence.inside) <= MOST_BRIDGED_REACH


def _is_box(part: Part) -> bool:
    return part.box_fill >= STRIP_BOX_FILL and part.top_width >= STRIP_TOP_WIDTH


def _is_strip(part: Part) -> bool:
    is_high = part.area_fraction >= STRIP_HEIGHT_FRACTION * part.width_fraction
    return _is_box(part) and is_high and part.width_fraction >= STRIP_WIDTH_FRACTION


# ---- several sectors ------------------------------------------------------------------------------------------------

LEAST_FLAT_TOP = 0.44
"""Width of an outline a tenth of the way down over its largest width: a sector that the screen does not cut begins near
a point (up to 0.35 over simulated cines), the outline of several is flat on top."""

MOST_WAIST = 0.66
MOST_STACKED_WAIST = 0.36
"""Two wide parts with less than this between them, under a flat top or in a loose outline; or with hardly anything
between them, in any. One simulated view in 160 has under 0.75, where a shadow parts it. Two sectors have up to 0.65."""

MOST_LOOSE_FILL = 0.65
"""Share of an outline that is echo, small gaps closed, up to which it may go round two sectors; one view has 0.66 and
more over simulated cines."""

LEAST_WIDE_TOP = 0.3
"""Width of an outline a tenth of the way down over its largest width, up to which its sides meet in one probe: what is
not seen within is the dark side of one sector. The outline round two sectors has 0.33 and more."""

OTHER_SECTOR_FRACTION = 0.33
"""Another sector has at least this share of the larger one's area; of what else is written or drawn beside one, no part
has more than 0.27 in simulated screens."""

LEAST_PART_FRACTION = 0.03
"""A sector worth the name covers this share of the picture."""

MOST_REGION_OVERLAP = 0.5
"""Two tissue regions of DICOM are two views when no more than this share of the smaller lies in the larger."""


def find_split(evidence: Evidence) -> Finding | None:
    """Look for two or more sectors: beside each other, above each other, four at once."""
    if _has_two_regions(evidence) or _has_two_sectors(evidence):
        message = "The screen shows more than one sector. Send each view alone, filling the screen."
        return Finding(FindingCode.SPLIT_VIEW, message)
    return None


def _has_two_regions(evidence: Evidence) -> bool:
    tissue = [region for region in evidence.cine.regions if region.kind is RegionKind.TISSUE]
    return any(_overlap(a, b) <= MOST_REGION_OVERLAP for a in tissue for b in tissue if a is not b)


def _overlap(first: Region, second: Region) -> float:
    """Give the share of the smaller region that lies in the other."""
    width = min(first.right_px, second.right_px) - max(first.left_px, second.left_px)
    height = min(first.bottom_px, second.bottom_px) - max(first.top_px, second.top_px)
    areas = [(r.right_px - r.left_px) * (r.bottom_px - r.top_px) for r in (first, second)]
    return max(0, width) * max(0, height) / min(areas)


def _has_two_sectors(evidence: Evidence) -> bool:
    if evidence.sector is None:
        fans = [part.area_fraction for part in parts(evidence.frame, None, LEAST_PART_FRACTION) if _is_fan(part)]
        return len(fans) > 1 and fans[1] >= OTHER_SECTOR_FRACTION * fans[0]
    least = OTHER_SECTOR_FRACTION * evidence.inside.mean()
    if any(part.area_fraction >= least and not _is_box(part) for part in evidence.beside):
        return True
    is_loose = evidence.echo[evidence.inside].mean() <= MOST_LOOSE_FILL and top_width(evidence.inside) >= LEAST_WIDE_TOP
    return waist(evidence.echo) <= (MOST_WAIST if is_loose or _has_flat_top(evidence.inside) else MOST_STACKED_WAIST)


def _is_fan(part: Part) -> bool:
    return part.top_width < LEAST_FLAT_TOP and part.box_fill < STRIP_BOX_FILL


def _has_flat_top(inside: BoolArray) -> bool:
    """Tell whether an outline is flat on top though the border does not cut it."""
    return top_width(inside) >= LEAST_WIDE_TOP and not inside[:2].any()


# ---- no echocardiogram ----------------------------------------------------------------------------------------------

LEAST_FLAT_FRACTION = 0.55
"""Share of what lies outside the sector that is one of two even greys, letters left out: a screen, a page. Small
pictures full of text have 0.62 and more over simulated cines, photographs and X-rays up to 0.5."""

LEAST_SPECKLE_FRACTION = 0.42
"""Share of the sector that has detail: speckle is everywhere, drawn shapes have edges only. A real probe off the skin
has 0.37, the simulated view that is compressed hardest, with black cavities, 0.5."""

BOX_TOP_WIDTH = 0.8
"""Of an outline, from which it is a box: a linear probe's picture or an enlarged detail; only a model tells which."""

LEAST_PICTURE_FRACTION = 0.15
"""Share of a picture without a sector that has detail or is bright, from which it shows something else."""


def find_foreign(evidence: Evidence) -> Finding | None:
    """Look for pictures that are no cardiac ultrasound: text, charts, photographs, other probes."""
    rough = evidence.detail >= DETAIL_GREY
    if evidence.sector is None:
        filled = max(rough.mean(), (evidence.frame > VISIBLE_GREY).mean())
        return _foreign() if filled >= LEAST_PICTURE_FRACTION else None
    inside = evidence.inside
    if rough[inside].mean() < LEAST_SPECKLE_FRACTION:
        return _foreign()
    if is_curved_probe(evidence.average, inside):
        return _foreign()
    if flat_fraction(evidence.frame, ~around(inside)) < LEAST_FLAT_FRACTION:
        return _foreign()
    if top_width(inside) < BOX_TOP_WIDTH:
        return None
    message = "The picture is a box, as of an enlarged detail or of a linear probe. Send the whole sector."
    return Finding(FindingCode.ZOOMED, message)


def _foreign() -> Finding:
    message = (
        "The screen shows no cardiac sector alone, but text, a chart, a photograph or the picture of another probe."
    )
    return Finding(FindingCode.FOREIGN_PICTURE, f"{message} Send the two-dimensional view.")


# ---- too dark, too bright -------------------------------------------------------------------------------------------

DARK_GREY = 48
"""Nearly the brightest of a sector (its 95th percentile), grey levels, under which nothing can be told: under a fifth
of the scale. Simulated cines of all sources are above 86; gain turned down by half of the scale leaves 20 to 69."""

MOST_LIT_FRACTION = 0.08
"""Share of a screen without a sector that is visible, under which it is called nearly black."""

SATURATED_GREY = 160
"""Mean of a sector from which it is white all over: tissue lies about the middle of the scale, cavities under it. The
brightest simulated cine has 139, gain turned up by half of the scale 178."""


def find_dark(evidence: Evidence) -> Finding | None:
    """Look for a picture that is nearly black."""
    if evidence.sector is None:
        is_dark = (evidence.frame > VISIBLE_GREY).mean() < MOST_LIT_FRACTION
    else:
        greys = evidence.frame[evidence.inside]
        is_dark = bool(np.percentile(greys, 95) < DARK_GREY)
    message = "The picture is nearly black. Check gain and probe contact, and send a cine that shows the heart."
    return Finding(FindingCode.DARK, message) if is_dark else None


def find_saturated(evidence: Evidence) -> Finding | None:
    """Look for a sector that is white all over."""
    if evidence.sector is None or evidence.frame[evidence.inside].mean() < SATURATED_GREY:
        return None
    return Finding(FindingCode.SATURATED, "The sector is white all over. Turn the gain down and record again.")


def find_no_sector(evidence: Evidence) -> Finding | None:
    """Look for the sector itself."""
    return NO_SECTOR if evidence.sector is None else None
