"""One subject: the sizes and the rhythm of a heart, drawn from published distributions."""

from dataclasses import dataclass
from math import erf, sqrt
from typing import NamedTuple

import numpy as np

# Cavity width over length from the annulus to the apex, 500 patients' annotated A4C (CAMUS, Leclerc 2019).
PROFILE_POSITION = np.array([0.0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.0])
ED_PROFILE = np.array([0.44, 0.49, 0.58, 0.60, 0.59, 0.57, 0.55, 0.53, 0.49, 0.42, 0.28, 0.0])
ES_PROFILE = np.array([0.45, 0.49, 0.53, 0.54, 0.51, 0.48, 0.46, 0.44, 0.41, 0.35, 0.24, 0.0])
# Quantiles of the ejection fraction in the same patients, percent.
LVEF_QUANTILES = ((0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0), (20, 27, 42, 52, 59, 68, 75))
WIDEST_ANNULUS = 0.9  # of the cavity's width

Normal = tuple[float, float]  # mean and standard deviation


class Walls(NamedTuple):
    """Walls in one group of people: its share, septum and posterior wall of (men, women), mm, and what they eject."""

    share: float
    septum_mm: tuple[Normal, Normal]
    posterior_mm: tuple[Normal, Normal]
    lvef_fraction: Normal | None = None  # None: as in CAMUS


HEALTHY = Walls(0.483, ((9, 1), (8, 1)), ((9, 1), (8, 1)))
ELDERLY = Walls(0.483, ((11, 2), (11, 2)), ((9, 2), (9, 2)))
STENOTIC = Walls(0.032, ((16.8, 2.7), (15.6, 2.2)), ((14.6, 1.7), (13.9, 2.0)))
HYPERTROPHIC = Walls(0.002, ((20, 2), (20, 2)), ((11.3, 2.3), (11.3, 2.3)), lvef_fraction=(0.62, 0.04))
WALLS = (HEALTHY, ELDERLY, STENOTIC, HYPERTROPHIC)
"""Healthy adults of 20 to 79 years: JAMP, Daimon 2008, Circ J 72:1859. People over 65 of a community: PMC4382209,
table 2, 1,194 without the variant it asked for. Severe aortic stenosis: 3.2 % of those sent to echocardiography,
10.1186/s12913-021-06843-0; walls of 111 of 408 such patients, Heart (BMJ), markup 112924, table 2. Hypertrophic
cardiomyopathy: about one in 500, Semsarian 2015, J Am Coll Cardiol 65:1249; its thickest wall and what it ejects,
PMC5721859, table 2; the posterior wall, PMC3849957, table 2. As many healthy as elderly is ours."""

LA_SCALE: Normal = (1.12, 0.2)
POSTERIOR_FOLLOWS = 0.8  # correlation of the posterior wall with the septum, ours
WALL_LIMITS_MM = (5.0, 24.0)
HEART_RATE_BPM: tuple[Normal, Normal] = ((71, 12), (74, 12))
"""Of men and women: means of Ostchega 2011 (NHANES 1999-2008), deviation of 2,919 outpatients in sinus rhythm, Ergene
2014, Cardiol J 21:4."""

FIBRILLATING_SHARE, FIBRILLATING_BPM = 0.04, (97.0, 19.0)
"""Share at 60 to 70 years, Zoni-Berisso 2014, Clin Epidemiol 6:213; rate of 50 with permanent fibrillation, Bunting
2019, Heart 105 Suppl 6:A10."""

WEAK_LVEF = 0.5
TERRITORY_CHANCES = ((0.78, 0.073), (0.38, 0.036))
"""Of wall motion that is regionally abnormal: in men and in women, where less than `WEAK_LVEF` is ejected and where
not. Solved from: 15.4 % of men and 7.5 % of women, 11.6 % of all 492,338 (National Echo Database of Australia,
Playford 2023); 11.4 % of them eject less than half (Playford 2020, PMC8081414); 5.5 % of people without known
disease (Framingham's offspring by MRI); as many times more men in both."""

TERRITORIES = ((110.0, 0.46), (255.0, 0.39), (350.0, 0.15))
"""Middle, degrees, and share of what the left anterior descending, right and circumflex arteries supply: culprits in
1,533 infarctions, Antoni 2011, Coron Artery Dis 22:533."""

MOVES_LESS = (0.4, 1.1)
"""From hypokinetic over akinetic (a tenth of its thickening is left) to dyskinetic, ASE 2005."""


@dataclass(frozen=True)
class Territory:
    """A part of the left ventricle that moves less: middle, half width about the axis, where it begins, how much."""

    theta_deg: float
    half_width_deg: float
    from_fraction: float
    reduction: float


@dataclass(frozen=True)
class Subject:
    """Sizes at end-diastole (mm, ml), pumping and rhythm of one heart."""

    seed: int
    is_male: bool
    height_m: float
    heart_rate_bpm: float
    is_fibrillating: bool
    lvef_fraction: float
    lv_ed_volume_ml: float
    lv_length_mm: float
    lv_width_mm: float
    mitral_annulus_mm: float
    septum_mm: float
    posterior_wall_mm: float
    anterior_leaflet_mm: float
    posterior_leaflet_mm: float
    rv_base_mm: float
    rv_outflow_mm: float
    rv_wall_mm: float
    rv_reach_fraction: float
    la_depth_mm: float
    la_width_mm: float
    ra_depth_mm: float
    ra_width_mm: float
    aortic_annulus_mm: float
    sinus_mm: float
    ascending_aorta_mm: float
    aortic_wall_mm: float
    tapse_mm: float
    septal_bulge_mm: float
    hypokinesis: Territory | None

    @property
    def length_shortening_fraction(self) -> float:
        """Systolic shortening of the cavity length: 1.3 + 0.267 LVEF %, same 500 patients."""
        return (1.3 + 26.7 * self.lvef_fraction) / 100

    @property
    def width_shortening_fraction(self) -> float:
        """Systolic narrowing that, with the shortening, empties exactly `lvef_fraction` of the discs' volume."""
        shape = np.trapezoid((ES_PROFILE / 0.54) ** 2, PROFILE_POSITION) / np.trapezoid(
            (ED_PROFILE / 0.60) ** 2, PROFILE_POSITION
        )
        return float(1 - np.sqrt((1 - self.lvef_fraction) / ((1 - self.length_shortening_fraction) * shape)))


def draw_subject(seed: int) -> Subject:
    """Draw one heart; the same seed gives the same heart whatever the view.

    Reference:
        Leclerc 2019, CAMUS, contours of 500 patients: volume, length, width and annulus with their deviations, LVEF and
        its correlation with the volume. Lang 2015, J Am Soc Echocardiogr 28:1: sinus 34 and 30 +- 3 mm, annulus and
        ascending aorta in its proportion; right ventricle at its base 33 +- 4 mm, outflow 25 +- 2.5, its wall 3 +- 1,
        TAPSE 24 +- 3.5. Muraru 2014, pubmed 24096712: aortic wall 2.4 +- 0.8 mm. PMC10258802: leaflets 16 +- 2 and
        9 +- 2 mm a metre of height. Walls, rate, rhythm and weak territories: the constants of this module.
        The left atrium is so large that what an A4C shows of it is as in CAMUS (`echoplane evaluate realism`).
        Settings without a source: height, right atrium, septal bulge (one in seven).
    """
    rng = np.random.default_rng([seed, 11])
    is_male = bool(rng.random() < 0.5)
    sex = 0 if is_male else 1
    height_m = float(np.clip(rng.normal(1.77 if is_male else 1.64, 0.07), 1.45, 2.0))
    size = float(rng.normal())
    pumping = -0.34 * size + np.sqrt(1 - 0.34**2) * rng.normal()
    volume_ml = float(np.exp(4.5 + 0.385 * np.clip(size, -2.2, 2.4)))
    root = volume_ml ** (1 / 3)
    walls = WALLS[int(rng.choice(len(WALLS), p=[group.share for group in WALLS]))]
    septum_mm, posterior_mm = _draw_walls_mm(rng, walls, sex)
    sinus_mm = float(np.clip(rng.normal(34 if is_male else 30, 3), 22, 44))
    width_mm = float(np.clip(-7.3 + 11.7 * root + rng.normal(0, 2.3), 34, 70))
    la_scale = float(np.clip(rng.normal(*LA_SCALE), 0.62, 1.7))
    is_fibrillating = bool(rng.random() < FIBRILLATING_SHARE)
    lvef_fraction = _draw_lvef_fraction(pumping)
    if walls.lvef_fraction is not None:
        lvef_fraction = float(np.clip(rng.normal(*walls.lvef_fraction), 0.2, 0.75))
    return Subject(
        seed=seed,
        is_male=is_male,
        height_m=height_m,
        heart_rate_bpm=_draw(rng, FIBRILLATING_BPM if is_fibrillating else HEART_RATE_BPM[sex], 42, 140),
        is_fibrillating=is_fibrillating,
        lvef_fraction=lvef_fraction,
        lv_ed_volume_ml=volume_ml,
        lv_length_mm=float(np.clip(24.9 + 11.3 * root + rng.normal(0, 5.5), 55, 105)),
        lv_width_mm=width_mm,
        mitral_annulus_mm=float(np.clip(0.8 + 7.1 * root + rng.normal(0, 4.2), 22, WIDEST_ANNULUS * width_mm)),
        septum_mm=septum_mm,
        posterior_wall_mm=posterior_mm,
        anterior_leaflet_mm=_draw(rng, (16, 2), 12, 21) * height_m,
        posterior_leaflet_mm=_draw(rng, (9, 2), 5, 13) * height_m,
        rv_base_mm=_draw(rng, (33, 4), 23, 45),
        rv_outflow_mm=_draw(rng, (25, 2.5), 18, 33),
        rv_wall_mm=_draw(rng, (3, 1), 1.5, 6),
        rv_reach_fraction=_draw(rng, (0.78, 0.06), 0.6, 0.92),
        la_depth_mm=44 * la_scale * float(rng.uniform(0.9, 1.1)),
        la_width_mm=40 * la_scale * float(rng.uniform(0.92, 1.1)),
        ra_depth_mm=_draw(rng, (42, 4.5), 32, 58),
        ra_width_mm=_draw(rng, (38, 4), 29, 54),
        aortic_annulus_mm=sinus_mm * float(rng.uniform(0.72, 0.8)),
        sinus_mm=sinus_mm,
        ascending_aorta_mm=sinus_mm * float(rng.uniform(0.88, 1.0)),
        aortic_wall_mm=_draw(rng, (2.4, 0.8), 1.2, 4.2),
        tapse_mm=_draw(rng, (24, 3.5), 9, 34),
        septal_bulge_mm=float(rng.uniform(1.5, 7) if rng.random() < 0.15 else rng.uniform(0, 1.5)),
        hypokinesis=_draw_hypokinesis(rng, TERRITORY_CHANCES[sex][0 if lvef_fraction < WEAK_LVEF else 1]),
    )


def _draw(rng: np.random.Generator, normal: Normal, least: float, most: float) -> float:
    return float(np.clip(rng.normal(*normal), least, most))


def _draw_walls_mm(rng: np.random.Generator, walls: Walls, sex: int) -> tuple[float, float]:
    """Draw septum and posterior wall of one of a group, correlated."""
    first, other = rng.normal(size=2)
    scores = first, POSTERIOR_FOLLOWS * first + sqrt(1 - POSTERIOR_FOLLOWS**2) * other
    (septum, septum_sd), (posterior, posterior_sd) = walls.septum_mm[sex], walls.posterior_mm[sex]
    thick = np.clip((septum + septum_sd * scores[0], posterior + posterior_sd * scores[1]), *WALL_LIMITS_MM)
    return float(thick[0]), float(thick[1])


def _draw_hypokinesis(rng: np.random.Generator, chance: float) -> Territory | None:
    """Draw a coronary territory that moves less."""
    if rng.random() > chance:
        return None
    middles_deg, shares = zip(*TERRITORIES, strict=True)
    theta_deg = middles_deg[int(rng.choice(len(shares), p=shares))]
    return Territory(
        theta_deg, float(rng.uniform(35, 60)), float(rng.uniform(0.0, 0.5)), float(rng.uniform(*MOVES_LESS))
    )


def _draw_lvef_fraction(normal_score: float) -> float:
    """Turn a standard normal score into an ejection fraction of 0.2-0.75."""
    share = 0.5 * (1 + erf(normal_score / sqrt(2)))
    return float(np.interp(share, *LVEF_QUANTILES)) / 100
