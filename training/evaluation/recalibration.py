"""Fit temperature and threshold anew on a site's own labelled cines; the weights stay as they are. Needs no torch."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.cine.cine import FloatArray, IntArray
from services.cine.errors import ConfigError, InputError
from services.cine.intake import IntakeOptions, take_in
from services.cine.views import ANSWERED_VIEWS
from services.models.onnx_backend import OnnxBackend
from services.models.spec import VIEW_CLASSIFIER
from training.classifier.calibration import Calibration, calibrate, coverage_interval, least_cines
from training.classifier.metrics import balanced_accuracy, log_loss
from training.classifier.predictions import CinePredictions, softmax
from training.progress import show_progress

_VIEWS = tuple(view.value for view in ANSWERED_VIEWS)


@dataclass(frozen=True)
class Labelled:
    """What the model said of a site's cines.

    Attributes:
        logits: mean log-odds of each cine that showed B-mode, [N, K].
        labels: index into ANSWERED_VIEWS, [N].
        unread: how many files could not be read, or showed no B-mode.
    """

    logits: FloatArray
    labels: IntArray
    unread: int


def read_labels(path: Path) -> list[tuple[str, int]]:
    """Read a CSV with the columns `file` and `view` (A2C, A4C, PLAX, PSAX or OTHER).

    Raises:
        ConfigError: it is none, names another view, or the same file twice.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(row["file"], row["view"].strip().upper()) for row in csv.DictReader(file)]
    except (OSError, KeyError, AttributeError, UnicodeDecodeError, csv.Error) as error:
        raise _unusable(f"{path} without columns `file` and `view`", "a CSV with both") from error
    if wrong := sorted({view for _, view in rows} - set(_VIEWS)):
        raise _unusable(f"the views {', '.join(wrong)} in {path}", f"one of {', '.join(_VIEWS)}")
    if twice := [name for name, count in Counter(name for name, _ in rows).items() if count > 1]:
        raise _unusable(f"{len(twice)} files named twice in {path}", "each cine once")
    return [(name, _VIEWS.index(view)) for name, view in rows]


def ask(labels: Sequence[tuple[str, int]], folder: Path, backend: OnnxBackend) -> Labelled:
    """Ask the model about every labelled file, as the service does.

    Raises:
        ConfigError: a file is not there.
    """
    if missing := [name for name, _ in labels if not (folder / name).is_file()]:
        raise _unusable(
            f"{len(missing)} labelled files that are not in {folder}, the first {missing[0]}", "all of them"
        )
    logits, kept = [], []
    with show_progress("asking the model", len(labels)) as advance:
        for done, (name, label) in enumerate(labels, 1):
            advance(done, "cines")
            try:
                frames = take_in((folder / name).read_bytes(), IntakeOptions()).model_input
            except InputError:
                continue
            if len(frames):
                outputs = backend.run({VIEW_CLASSIFIER.inputs[0].name: frames})
                logits.append(outputs[VIEW_CLASSIFIER.outputs[0].name].mean(axis=0))
                kept.append(label)
    found = np.array(logits, np.float32).reshape(-1, len(_VIEWS))
    return Labelled(found, np.array(kept, np.int64), len(labels) - len(kept))


def recalibrate(labelled: Labelled, wrong_share: float, sha256: str) -> dict[str, Any]:
    """Fit both, and say what they promise.

    Args:
        labelled: what the model said.
        wrong_share: most cines of a view that may be given another view's name.
        sha256: of the model's weights.

    Returns:
        What the service reads, and what was measured, in JSON's types.

    Raises:
        ConfigError: too few cines for such a promise.
    """
    least, count = least_cines(wrong_share), len(labelled.labels)
    if count < least:
        raise _unusable(
            f"{count} labelled cines that show B-mode", f"at least {least} for {wrong_share:.0%} wrong names"
        )
    cines = _as_predictions(labelled)
    found = calibrate(cines, wrong_share)
    counts = {view: int((labelled.labels == index).sum()) for index, view in enumerate(_VIEWS)}
    promised = {view: cine_count for view, cine_count in counts.items() if cine_count >= least}
    return {
        "model_sha256": sha256,
        "temperature": found.temperature,
        "abstain_below": found.abstain_below,
        "wrong_share": wrong_share,
        "cines": counts,
        "not_read": labelled.unread,
        "answered": found.answered,
        "balanced_accuracy": balanced_accuracy(cines.logits, cines.labels),
        "log_loss": {
            "before": log_loss(cines.logits, cines.labels),
            "after": log_loss(cines.divided(found.temperature).logits, cines.labels),
        },
        "named_wrongly": _named_wrongly(cines, found),
        "no_wrong_name_90": {
            "all": coverage_interval(count, wrong_share),
            **{view: coverage_interval(cine_count, wrong_share) for view, cine_count in promised.items()},
        },
    }


def say(result: dict[str, Any]) -> str:
    """Say in words what was fitted and what it is worth."""
    low, high = result["no_wrong_name_90"]["all"]
    alone = [view for view in result["no_wrong_name_90"] if view != "all"]
    together = [view for view in _VIEWS if view not in alone]
    lines = [
        f"{sum(result['cines'].values())} cines, {result['not_read']} more could not be read or show no B-mode.",
        f"Temperature {result['temperature']:.3f}; no view is named below {result['abstain_below']:.4f}.",
        f"Of these cines {result['answered']:.0%} get an answer and {result['named_wrongly']:.1%} a wrong one.",
        f"Of further cines drawn like these at most {result['wrong_share']:.0%} get a wrong name on average; with so",
        f"few to calibrate on, between {1 - high:.1%} and {1 - low:.1%} in nine sites of ten.",
    ]
    if alone:
        lines.append(f"This holds in each of {', '.join(alone)} by itself.")
    if together:
        lines.append(f"Too few cines to say so of {', '.join(together)} alone: they count with all cines only.")
    lines.append("It holds for cines like these, and no longer when machines, protocols or patients change.")
    return "\n".join(lines)


def write(result: dict[str, Any], path: Path) -> None:
    """Write the file that the service reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=1) + "\n")


def _as_predictions(labelled: Labelled) -> CinePredictions:
    count = len(labelled.labels)
    return CinePredictions(
        logits=labelled.logits,
        shares=np.eye(len(_VIEWS), dtype=np.float32)[labelled.labels],
        styles=np.full(count, "site"),
        planes=np.full(count, ""),
        traits=np.full((count, 3), np.nan, np.float32),
        subjects=np.arange(count),
    )


def _named_wrongly(cines: CinePredictions, found: Calibration) -> float:
    logits = cines.divided(found.temperature).logits
    is_answered = softmax(logits).max(axis=1) >= found.abstain_below
    return float((is_answered & (logits.argmax(axis=1) != cines.labels)).mean())


def _unusable(found: str, expected: str) -> ConfigError:
    return ConfigError(found=found, expected=expected, advice="Correct the list of labels, or label more cines.")
