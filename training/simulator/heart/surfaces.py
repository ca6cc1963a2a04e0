"""A surface of the heart: a grid of material points whose place follows one or two drives of the beat."""

from dataclasses import dataclass
from enum import Enum

from training.simulator.arrays import Float32Array
from training.simulator.heart.tissues import Tissue


class Drive(Enum):
    """What opens or moves a surface beside the contraction that carries everything."""

    NONE = "none"
    MITRAL = "mitral"  # also the tricuspid valve
    AORTIC = "aortic"  # also the pulmonary valve


@dataclass(frozen=True)
class Surface:
    """One structure of one heart.

    Attributes:
        name: unique in a heart, such as `lv_cavity`; masks, truth and looks use it.
        tissue: what lies inside a closed surface, or what a sheet is made of.
        keys: [A, B, U, V, 3] mm in heart coordinates: places of the U x V material points at A even steps of the
            contraction from 0 to 1 and B even steps of `drive` from 0 to 1 (B is 1 without a drive); between the
            steps places are interpolated linearly.
        drive: second drive.
        is_sheet: a thin layer, drawn as a line of `thickness_mm`; else a closed surface that is filled. A closed
            surface runs from one pole (row 0, all points at one place) to the other (row U-1), and its last column
            is its first one again.
        thickness_mm: of a sheet.
        specular_db: what is added where the surface faces the beam; 0 for a diffuse one.
        is_material: its points carry the tissue around them (speckle follows them).
        is_blood_flowing: it holds moving blood, which colour Doppler may show.
    """

    name: str
    tissue: Tissue
    keys: Float32Array
    drive: Drive = Drive.NONE
    is_sheet: bool = False
    thickness_mm: float = 0.0
    specular_db: float = 0.0
    is_material: bool = False
    is_blood_flowing: bool = False
