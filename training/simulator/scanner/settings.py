"""What the machine, its user and the chest do to a picture; drawn for each cine by its source, never by its view."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shadow:
    """A wedge from the skin that loses echo: a rib, a bad contact, lung.

    Attributes:
        place_fraction: of its middle across the sector, 0 left to 1 right.
        width_fraction: standard deviation, as a share of the sector's opening.
        loss_db: in its middle.
    """

    place_fraction: float
    width_fraction: float
    loss_db: float


@dataclass(frozen=True)
class ScannerSettings:
    """Settings of one recording; decibels are above plain heart muscle unless said.

    Attributes:
        depth_mm, opening_deg: of the sector.
        frequency_mhz: received (harmonic) centre frequency.
        aperture_mm: active width of the probe; the beam is lambda z / aperture wide.
        focus_mm: depth of the send focus.
        cycles: length of the pulse in cycles.
        beam_spread: factor on the beam's width: aberration of the chest wall, 1 none, 2 obesity.
        dynamic_range_db: from black to white.
        muscle_grey_fraction: grey of plain muscle, 0-1: the overall gain.
        gamma: exponent of the grey map.
        assumed_attenuation_db: per cm and MHz, which the fixed time-gain compensation makes up for all the way.
        tgc_error_db: what the sliders are off at the near, middle and far third.
        speckle_reduction: 0 raw speckle, 1 none left.
        edge_enhancement: strength of the vendor's sharpening, 0-1.
        smoothing_mm: sigma of the vendor's smoothing on the screen.
        persistence: share of the frame before in a scanner's frame, 0-0.6. No frame is averaged here, each
            depends on its own time only: noise is calmed and speckle renewed as much slower as that would.
        cavity_clutter_db: haze that fills cavities.
        near_clutter_db: haze by the skin.
        reverberation_db: repeated echoes of the skin's layers.
        side_lobe_db: level of the side lobes under the main lobe.
        noise_db: receiver noise in the middle of the depth.
        soft_tissue_db: tissue round the heart.
        dropout: how often and how much structures fade, factor, 1 usual.
        edge_loss_db: at the left and right edge of the sector.
        lung_fraction: share of the sector that lung hides at the left and right.
        shadows: wedges from the skin.
    """

    depth_mm: float
    opening_deg: float
    frequency_mhz: float
    aperture_mm: float
    focus_mm: float
    cycles: float
    beam_spread: float
    dynamic_range_db: float
    muscle_grey_fraction: float
    gamma: float
    assumed_attenuation_db: float
    tgc_error_db: tuple[float, float, float]
    speckle_reduction: float
    edge_enhancement: float
    smoothing_mm: float
    persistence: float
    cavity_clutter_db: float
    near_clutter_db: float
    reverberation_db: float
    side_lobe_db: float
    noise_db: float
    soft_tissue_db: float
    dropout: float
    edge_loss_db: tuple[float, float]
    lung_fraction: tuple[float, float]
    shadows: tuple[Shadow, ...]
