"""One subject: the sizes and the rhythm of a heart, drawn from published distributions."""

from dataclasses import dataclass
from math import erf, sqrt

import numpy as np

# Cavity width over length from the annulus to the apex, 500 patients' annotated A4C (CAMUS, Leclerc 2019).
PROFILE_POSITION = np.array([0.0, 0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95, 1.0])
ED_PROFILE = np.array([0.44, 0.49, 0.58, 0.60, 0.59, 0.57, 0.55, 0.53, 0.49, 0.42, 0.28, 0.0])
ES_PROFILE = np.array([0.45, 0.49, 0.53, 0.54, 0.51, 0.48, 0.46, 0.44, 0.41, 0.35, 0.24, 0.0])
# Quantiles of the ejection fraction in the same patients, percent.
LVEF_QUANTILES = ((0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0), (20, 27, 42, 52, 59, 68, 75))
WIDEST_ANNULUS = 0.9  # of the cavity's width


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
        ascending aorta in its proportion. Muraru 2014, pubmed 24096712: aortic wall 2.4 +- 0.8 mm. PMC10258802:
        leaflets 16 +- 2 and 9 +- 2 mm a metre of height.
        Settings of ours, not drawn from these but with them beside.
        Walls: Marcomichelakis 1983, Int J Cardiol 4:405, medians of healthy
        people from 20-29 to 60-70 years: septum 8.3 to 11.2 mm, posterior 7.5 to 9.8; ours are 10.9 and 10.1 in men,
        9.9 and 9.2 in women at the mean, as in the old, so that two septa in three are above Lang's normal 10 and 9 mm.
        Thicker ones beyond, one in eight: pubmed 8682120, hypertrophy in 14 % of men and 20 % of women with normal
        pressure. Heart rate, 70 +- 14: Ostchega 2011, 71 and 74 in men and women; Avram 2019, +- 14.5. Weak
        territories, 8 %, and 50 % where less than 42 % is ejected: Cicala 2007, Circulation 116:143, 5 % focal without
        known disease; Framingham's offspring by MRI, 34 % after cardiac events.
        Settings without a source: height, right heart, atria and TAPSE (about Lang's limits and means), septal bulge
        (one in seven), atrial fibrillation (one in twenty).
    """
    rng = np.random.default_rng([seed, 11])
    is_male = bool(rng.random() < 0.5)
    height_m = float(np.clip(rng.normal(1.77 if is_male else 1.64, 0.07), 1.45, 2.0))
    size = float(rng.normal())
    pumping = -0.34 * size + np.sqrt(1 - 0.34**2) * rng.normal()
    volume_ml = float(np.exp(4.5 + 0.385 * np.clip(size, -2.2, 2.4)))
    root = volume_ml ** (1 / 3)
    wall_mm = float(
        np.clip(rng.normal(9.8 if is_male else 9.0, 1.6) + (4 * rng.random() if rng.random() < 0.12 else 0), 6, 18)
    )
    sinus_mm = float(np.clip(rng.normal(34 if is_male else 30, 3), 22, 44))
    width_mm = float(np.clip(-7.3 + 11.7 * root + rng.normal(0, 2.3), 34, 70))
    la_scale = float(np.clip(rng.normal(0.96, 0.18), 0.62, 1.55))
    return Subject(
        seed=seed,
        is_male=is_male,
        height_m=height_m,
        heart_rate_bpm=_draw_heart_rate_bpm(rng),
        is_fibrillating=bool(rng.random() < 0.05),
        lvef_fraction=_draw_lvef_fraction(pumping),
        lv_ed_volume_ml=volume_ml,
        lv_length_mm=float(np.clip(24.9 + 11.3 * root + rng.normal(0, 5.5), 55, 105)),
        lv_width_mm=width_mm,
        mitral_annulus_mm=float(np.clip(0.8 + 7.1 * root + rng.normal(0, 4.2), 22, WIDEST_ANNULUS * width_mm)),
        septum_mm=wall_mm * float(rng.uniform(0.95, 1.2)),
        posterior_wall_mm=wall_mm,
        anterior_leaflet_mm=float(np.clip(rng.normal(16, 2), 12, 21)) * height_m,
        posterior_leaflet_mm=float(np.clip(rng.normal(9, 2), 5, 13)) * height_m,
        rv_base_mm=float(np.clip(rng.normal(37, 4.5), 27, 52)),
        rv_outflow_mm=float(np.clip(rng.normal(26, 3.5), 18, 38)),
        rv_wall_mm=float(np.clip(rng.normal(4, 0.8), 2.5, 7)),
        rv_reach_fraction=float(np.clip(rng.normal(0.78, 0.06), 0.6, 0.92)),
        la_depth_mm=44 * la_scale * float(rng.uniform(0.9, 1.1)),
        la_width_mm=40 * la_scale * float(rng.uniform(0.92, 1.1)),
        ra_depth_mm=float(np.clip(rng.normal(42, 4.5), 32, 58)),
        ra_width_mm=float(np.clip(rng.normal(38, 4), 29, 54)),
        aortic_annulus_mm=sinus_mm * float(rng.uniform(0.72, 0.8)),
        sinus_mm=sinus_mm,
        ascending_aorta_mm=sinus_mm * float(rng.uniform(0.88, 1.0)),
        aortic_wall_mm=float(np.clip(rng.normal(2.4, 0.8), 1.2, 4.2)),
        tapse_mm=float(np.clip(rng.normal(22, 4), 9, 30)),
        septal_bulge_mm=float(rng.uniform(1.5, 7) if rng.random() < 0.15 else rng.uniform(0, 1.5)),
        hypokinesis=_draw_hypokinesis(rng, _draw_lvef_fraction(pumping)),
    )


def _draw_hypokinesis(rng: np.random.Generator, lvef_fraction: float) -> Territory | None:
    """Draw a coronary territory that moves less: anterior, inferior or lateral wall; usual in weak ventricles."""
    if rng.random() > (0.5 if lvef_fraction < 0.42 else 0.08):
        return None
    theta_deg = (110.0, 255.0, 350.0)[int(rng.choice(3, p=(0.5, 0.3, 0.2)))]
    return Territory(theta_deg, float(rng.uniform(35, 60)), float(rng.uniform(0.0, 0.5)), float(rng.uniform(0.4, 1.1)))


def _draw_heart_rate_bpm(rng: np.random.Generator) -> float:
    """Draw about 70 +- 14, more often far from it than a normal distribution is."""
    spread = 28 if rng.random() < 0.15 else 12
    return float(np.clip(rng.normal(70, spread), 42, 130))


def _draw_lvef_fraction(normal_score: float) -> float:
    """Turn a standard normal score into an ejection fraction of 0.2-0.75."""
    share = 0.5 * (1 + erf(normal_score / sqrt(2)))
    return float(np.interp(share, *LVEF_QUANTILES)) / 100
