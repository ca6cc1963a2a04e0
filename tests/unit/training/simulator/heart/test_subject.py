"""Laws of the drawn hearts and of their beat."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from training.simulator.heart.rhythm import draw_rhythm, end_systole_ms
from training.simulator.heart.subject import (
    ED_PROFILE,
    ES_PROFILE,
    FIBRILLATING_SHARE,
    PROFILE_POSITION,
    TERRITORIES,
    TERRITORY_CHANCES,
    WALLS,
    draw_subject,
)


def test_same_seed_draws_the_same_heart() -> None:
    assert draw_subject(5) == draw_subject(5)
    assert draw_subject(5) != draw_subject(6)


def test_drawn_sizes_stay_within_human_ranges() -> None:
    hearts = [draw_subject(seed) for seed in range(300)]
    lvef = np.array([heart.lvef_fraction for heart in hearts])
    assert lvef.min() >= 0.2
    assert lvef.max() <= 0.75
    assert 0.47 < np.median(lvef) < 0.57
    assert 75 < np.median([heart.lv_ed_volume_ml for heart in hearts]) < 115


def test_walls_heart_rates_and_weak_territories_are_as_published() -> None:
    subjects = [draw_subject(seed) for seed in range(4000)]
    for sex, is_male in enumerate((True, False)):
        hearts = [subject for subject in subjects if subject.is_male == is_male]
        for name in ("septum_mm", "posterior_wall_mm"):
            groups = [getattr(group, name.replace("_wall", ""))[sex][0] for group in WALLS]
            wanted = np.dot([group.share for group in WALLS], groups)
            assert abs(np.mean([getattr(heart, name) for heart in hearts]) - wanted) < 0.2  # 4 standard errors
        steady = [heart.heart_rate_bpm for heart in hearts if not heart.is_fibrillating]
        assert abs(np.mean(steady) - (71 if is_male else 74)) < 1
        assert abs(np.std(steady) - 12) < 1
        is_weak = np.array([heart.lvef_fraction < 0.5 for heart in hearts])
        moves_less = np.array([heart.hypokinesis is not None for heart in hearts])
        for weak, chance in zip((is_weak, ~is_weak), TERRITORY_CHANCES[sex], strict=True):
            assert abs(moves_less[weak].mean() - chance) < 0.05
    assert abs(np.mean([subject.is_fibrillating for subject in subjects]) - FIBRILLATING_SHARE) < 0.01
    thick = [subject for subject in subjects if subject.septum_mm > 13]
    assert 0.04 < len(thick) / len(subjects) < 0.13


def test_as_many_have_weak_territories_as_in_the_echo_database_whose_patients_eject_as_there() -> None:
    for chances, all_of_them in zip(TERRITORY_CHANCES, (0.154, 0.075), strict=True):
        assert 0.114 * chances[0] + 0.886 * chances[1] == pytest.approx(all_of_them, abs=0.002)
    men, women = TERRITORY_CHANCES
    assert (men[1] * 255697 + women[1] * 236641) / 492338 == pytest.approx(0.055, abs=0.001)


def test_shares_add_up() -> None:
    assert sum(group.share for group in WALLS) == pytest.approx(1)
    assert sum(share for _, share in TERRITORIES) == pytest.approx(1)


def test_a_fibrillating_heart_has_no_atrial_wave() -> None:
    rhythm = draw_rhythm(replace(draw_subject(3), is_fibrillating=True, heart_rate_bpm=55), 3)
    starts = rhythm.starts_ms
    for start, end in pairwise(starts):
        states = [rhythm.state_at(time) for time in np.arange(end - 130, end - 60, 5.0) if time > start + 700]
        assert all(state.contraction < 1e-6 and state.inflow == 0 for state in states)


def test_big_hearts_eject_less() -> None:
    hearts = [draw_subject(seed) for seed in range(400)]
    correlation = np.corrcoef([heart.lv_ed_volume_ml for heart in hearts], [heart.lvef_fraction for heart in hearts])[
        0, 1
    ]
    assert -0.5 < correlation < -0.15


def test_shortening_and_narrowing_empty_exactly_the_ejection_fraction() -> None:
    for seed in range(20):
        heart = draw_subject(seed)
        full = np.trapezoid((ED_PROFILE / 0.60) ** 2, PROFILE_POSITION)
        narrow = (1 - heart.width_shortening_fraction) ** 2 * np.trapezoid((ES_PROFILE / 0.54) ** 2, PROFILE_POSITION)
        left = (1 - heart.length_shortening_fraction) * narrow / full
        assert abs(1 - left - heart.lvef_fraction) < 1e-9


def test_systole_takes_a_larger_share_of_faster_beats() -> None:
    shares = [end_systole_ms(60000 / rate, True) / (60000 / rate) for rate in (50, 70, 90, 110)]
    assert shares == sorted(shares)


def test_contraction_runs_from_rest_to_full_and_back_without_jumps() -> None:
    rhythm = draw_rhythm(draw_subject(3), 3)
    contraction = np.array([rhythm.state_at(time).contraction for time in np.arange(0, 3000, 2.0)])
    assert contraction.min() >= -1e-9
    assert contraction.max() <= 1 + 1e-9
    assert contraction.max() > 0.99
    assert contraction.min() < 0.02
    assert np.abs(np.diff(contraction)).max() < 0.06


def test_mitral_and_aortic_valve_are_never_wide_open_together() -> None:
    rhythm = draw_rhythm(draw_subject(4), 4)
    states = [rhythm.state_at(time) for time in np.arange(0, 3000, 5.0)]
    assert max(min(state.mitral_opening, state.aortic_opening) for state in states) < 0.1
    assert max(state.mitral_opening for state in states) > 0.9
    assert max(state.aortic_opening for state in states) > 0.9
