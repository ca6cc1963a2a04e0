"""The cardiac cycle: where in its beat the heart is at any time, and what every moving part does there."""

from dataclasses import dataclass

import numpy as np

from training.simulator.arrays import TimeArray
from training.simulator.heart.subject import Subject

BEATS_DRAWN = 48
MITRAL_CLOSURE_AFTER_Q_MS = 55.0  # electromechanical delay
ISOVOLUMIC_CONTRACTION_MS, ISOVOLUMIC_RELAXATION_MS = 40.0, 96.0  # means, Copenhagen City Heart Study
EARLY_WAVE_MS = 225.0
ATRIAL_WAVE_MS = 125.0
EARLY_FILLING_SHARE, SLOW_FILLING_SHARE = 0.68, 0.06  # of the stroke; the atrium pushes the rest


@dataclass(frozen=True)
class HeartState:
    """One instant: every value 0-1 unless said."""

    contraction: float  # 0 at end-diastole, 1 at end-systole
    mitral_opening: float
    aortic_opening: float
    inflow: float  # speed of filling through the mitral valve
    outflow: float  # speed of ejection
    since_closure_ms: float  # time since end-diastole, ms
    beat_ms: float


@dataclass(frozen=True)
class Rhythm:
    """The beats of one subject: `starts_ms` [N + 1], times of mitral closure; the cine starts at 0."""

    starts_ms: TimeArray
    subject: Subject

    def state_at(self, time_ms: float) -> HeartState:
        """Tell the state of the heart at a time in ms; the drawn beats repeat for ever."""
        span = float(self.starts_ms[-1] - self.starts_ms[0])
        wrapped = (time_ms - float(self.starts_ms[0])) % span + float(self.starts_ms[0])
        beat = min(max(int(np.searchsorted(self.starts_ms, wrapped, side="right")) - 1, 0), BEATS_DRAWN - 1)
        beat_ms = float(self.starts_ms[beat + 1] - self.starts_ms[beat])
        return _state_in_beat(wrapped - float(self.starts_ms[beat]), beat_ms, self.subject)


def draw_rhythm(subject: Subject, seed: int) -> Rhythm:
    """Draw the beats of one recording: beat to beat +- 3 %, or 18 % when fibrillating; then there is no atrial wave."""
    rng = np.random.default_rng([seed, 23])
    spread = 0.18 if subject.is_fibrillating else 0.03
    factor = np.clip(rng.normal(1, spread, BEATS_DRAWN), 0.6, 1.6)
    beats_ms = 60000 / subject.heart_rate_bpm * factor
    start = -rng.uniform(0, 1) * beats_ms[0]
    return Rhythm(start + np.concatenate([[0.0], np.cumsum(beats_ms)]), subject)


def end_systole_ms(beat_ms: float, is_male: bool) -> float:
    """Time from mitral to aortic closure in ms: electromechanical systole minus the delay.

    Reference:
        Chest 1981 80:613: Q wave to aortic closure, men 541 - 2.2 HR, women 540 - 2.0 HR.
    """
    rate_bpm = 60000 / beat_ms
    systole_ms = (541 - 2.2 * rate_bpm) if is_male else (540 - 2.0 * rate_bpm)
    return min(systole_ms - MITRAL_CLOSURE_AFTER_Q_MS, 0.62 * beat_ms)


def _ease(value: float) -> float:
    """Smooth step: 0 below 0, 1 above 1."""
    clipped = min(max(value, 0.0), 1.0)
    return clipped * clipped * (3 - 2 * clipped)


def _bump(time_ms: float, start_ms: float, length_ms: float) -> float:
    """Half a sine wave over an interval, 0 outside."""
    share = (time_ms - start_ms) / length_ms
    return float(np.sin(np.pi * share)) if 0 < share < 1 else 0.0


def _state_in_beat(time_ms: float, beat_ms: float, subject: Subject) -> HeartState:
    """Phase law of one beat; shortens diastasis first as the rate rises, then merges the waves."""
    es_ms = end_systole_ms(beat_ms, subject.is_male)
    ejection_start_ms = ISOVOLUMIC_CONTRACTION_MS
    filling_start_ms = es_ms + min(ISOVOLUMIC_RELAXATION_MS, 0.35 * (beat_ms - es_ms))
    filling_ms = beat_ms - filling_start_ms
    atrial_ms = min(ATRIAL_WAVE_MS, 0.4 * filling_ms) if not subject.is_fibrillating else 0.0
    early_ms = min(EARLY_WAVE_MS, filling_ms - 0.6 * atrial_ms)
    atrial_start_ms = beat_ms - atrial_ms
    ejected = _ease(time_ms / es_ms)
    refilled = _ease((time_ms - filling_start_ms) / early_ms)
    early, atrial = _bump(time_ms, filling_start_ms, early_ms), 0.0
    if not subject.is_fibrillating:
        refilled *= EARLY_FILLING_SHARE
        refilled += SLOW_FILLING_SHARE * _ease((time_ms - filling_start_ms) / filling_ms)
        pushed = _ease((time_ms - atrial_start_ms) / atrial_ms)
        refilled += (1 - EARLY_FILLING_SHARE - SLOW_FILLING_SHARE) * pushed
        atrial = _bump(time_ms, atrial_start_ms, atrial_ms)
    opened = _ease((time_ms - filling_start_ms) / 60)
    closing = _ease((beat_ms - time_ms) / 55)
    rest = 0.38 * opened * closing
    return HeartState(
        contraction=ejected - refilled,
        mitral_opening=min(1.0, max(rest, (0.3 + 0.7 * early) * opened * (early > 0), rest + 0.4 * atrial)),
        aortic_opening=_ease((time_ms - ejection_start_ms) / 35) * _ease((es_ms - time_ms) / 35),
        inflow=max(early, 0.7 * atrial),
        outflow=_bump(time_ms, ejection_start_ms, es_ms - ejection_start_ms),
        since_closure_ms=time_ms,
        beat_ms=beat_ms,
    )
