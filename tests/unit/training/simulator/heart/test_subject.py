"""Laws of the drawn hearts and of their beat."""

import numpy as np

from training.simulator.heart.rhythm import draw_rhythm, end_systole_ms
from training.simulator.heart.subject import ED_PROFILE, ES_PROFILE, PROFILE_POSITION, draw_subject


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
    assert all(6 <= heart.posterior_wall_mm <= 18 for heart in hearts)


def test_walls_heart_rates_and_weak_territories_are_as_said() -> None:
    subjects = [draw_subject(seed) for seed in range(2000)]
    for is_male, septum_mm, posterior_mm in ((True, 10.9, 10.1), (False, 9.9, 9.2)):
        hearts = [subject for subject in subjects if subject.is_male == is_male]
        assert abs(np.mean([heart.septum_mm for heart in hearts]) - septum_mm) < 0.2  # 3 standard errors
        assert abs(np.mean([heart.posterior_wall_mm for heart in hearts]) - posterior_mm) < 0.2
    rates = [subject.heart_rate_bpm for subject in subjects]
    assert abs(np.mean(rates) - 70) < 1
    assert abs(np.std(rates) - 14) < 1
    weak = [subject.lvef_fraction < 0.42 for subject in subjects]
    moves_less = np.array([subject.hypokinesis is not None for subject in subjects])
    assert abs(moves_less[weak].mean() - 0.5) < 0.07
    assert abs(moves_less[np.logical_not(weak)].mean() - 0.08) < 0.025


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
