"""What a body is made of, as far as ultrasound can tell."""

from enum import Enum
from typing import NamedTuple


class Acoustics(NamedTuple):
    """How a tissue answers: `echo_db` above heart muscle, `attenuation_db` per cm and MHz, one way."""

    echo_db: float
    attenuation_db: float


class Tissue(Enum):
    """Backscatter and attenuation of each tissue.

    Reference:
        Attenuation of blood .15, heart muscle .52, liver .50, fat .63 dB/cm/MHz: PMC10001275, table 4. Blood
        scatters 20-30 dB less than muscle; on a screen clutter, not blood, sets how dark a cavity is. What shows behind
        the surface of lung is sound that went to and fro, so its values are a setting.
    """

    BLOOD = Acoustics(-30.0, 0.15)
    MUSCLE = Acoustics(0.0, 0.52)
    THIN_WALL = Acoustics(2.0, 0.52)
    LEAFLET = Acoustics(3.0, 0.52)
    PERICARDIUM = Acoustics(10.0, 0.6)
    FAT = Acoustics(-5.0, 0.63)
    SOFT_TISSUE = Acoustics(-7.0, 0.55)
    LIVER = Acoustics(-2.5, 0.50)
    LUNG = Acoustics(-6.0, 0.9)
