"""Says which pixels are echo and may stay: one sector that moves, or nothing at all."""

from __future__ import annotations

from dataclasses import dataclass

from services.cine.budget import ReadLimits
from services.cine.cine import BoolArray, Cine, CineFormat, RegionKind
from services.cine.errors import IdentityRemainsError
from services.cine.intake import colour_frames
from services.cine.reading import read_cine
from services.cine.sector import Sector, find_sector
from services.cine.validation.damage import decode_thumbnails
from services.cine.validation.evidence import Evidence
from services.cine.validation.rules import WITHOUT_VIEW

_ONE_SECTOR = "one B-mode sector that moves"


@dataclass(frozen=True)
class SectorMask:
    """Which pixels stay.

    Attributes:
        inside: true where there is echo, [H, W].
        frame_count: T, as many as the pixels decode to.
    """

    inside: BoolArray
    frame_count: int


def sector_mask(data: bytes | memoryview, limits: ReadLimits) -> SectorMask:
    """Find the one sector of an ultrasound object.

    What is drawn on a screen stands still, and a sector is found by what moves; so a picture in which nothing moves is
    refused, and so is a screen of several pictures, between which there may be text that no single sector leaves out.
    A colour box is no second picture: it lies in the sector.

    Args:
        data: the whole file.
        limits: what it may cost.

    Raises:
        IdentityRemainsError: no sector, several pictures, or nothing that moves.
        CineUnreadableError, CineUnsupportedError, LimitExceededError: as `read_cine`.
    """
    cine = read_cine(data, limits, CineFormat.DICOM)
    pictures = sum(region.kind is not RegionKind.COLOUR_FLOW for region in cine.regions)
    if not cine.is_ultrasound or pictures > 1:
        found = f"an object that declares {pictures} pictures" if cine.is_ultrasound else "an image of another modality"
        raise _refusal(found)
    sector = _sector(cine)
    if not sector.is_moving:
        raise _refusal("a picture in which nothing moves, so that text cannot be told from echo")
    return SectorMask(sector.mask(), cine.frame_count)


def _sector(cine: Cine) -> Sector:
    thumbnails, kept = decode_thumbnails(cine)
    sector = find_sector(thumbnails, cine.rows, cine.columns, cine.tissue_region)
    evidence = Evidence(cine, thumbnails, sector, lambda: colour_frames(cine, kept), cine.frame_count - len(kept))
    seen = next((finding for rule in WITHOUT_VIEW if (finding := rule(evidence)) is not None), None)
    if sector is None or seen is not None:
        raise _refusal(f"a screen that is called {seen.code}" if seen else "no sector")
    return sector


def _refusal(found: str) -> IdentityRemainsError:
    return IdentityRemainsError(
        found=found,
        expected=_ONE_SECTOR,
        advice="It is not passed on, because burnt-in text may remain. Send a B-mode cine.",
    )
