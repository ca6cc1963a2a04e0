"""The whole training of the view classifier: render, train, calibrate, report; resumable from any kill."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.cine.errors import ConfigError
from services.cine.preprocessing import preprocessing_fingerprint
from training.classifier.calibration import Calibration, calibrate
from training.classifier.config import ClassifierConfig
from training.classifier.dataset import FrameSet, load_frames
from training.classifier.report import Measured, report_on
from training.classifier.splits import Split
from training.classifier.task import ClassifierTask, change_cines, predict_cines
from training.configuration import to_plain
from training.loop import WEIGHTS_FILE, is_half, train

CONFIG_FILE = "config.json"
CHECKPOINT_FILE = "checkpoint.json"
RENDERING_FILE = "rendering.json"


@dataclass(frozen=True)
class TrainedClassifier:
    """A finished run.

    Attributes:
        folder: holds weights, checkpoint and history.
        calibration: temperature and threshold.
        report: everything measured, in JSON's types.
    """

    folder: Path
    calibration: Calibration
    report: dict[str, Any]


def train_classifier(config: ClassifierConfig, folder: Path, cache_folder: Path) -> TrainedClassifier:
    """Run an experiment, going on from where an earlier run in the same folder stopped.

    Args:
        config: the experiment.
        folder: gets config.json, history.json, training.safetensors, weights.safetensors and checkpoint.json.
        cache_folder: where rendered frames are kept, to be shared between experiments.

    Returns:
        The finished run.

    Raises:
        ConfigError: the folder holds a run of another configuration.
        TrainingDivergedError: the loss is not finite.
    """
    keep_config(config, folder)
    started = time.monotonic()
    parts = {split: load_frames(split, config, cache_folder) for split in Split}
    rendering_s = _add_up(folder / RENDERING_FILE, time.monotonic() - started)
    task = ClassifierTask(config, parts[Split.TRAIN], parts[Split.CALIBRATION])
    state = train(task, config.loop, folder)
    calibrated_on = predict_cines(state.ema, _for_calibration(parts[Split.CALIBRATION], config))
    calibration = calibrate(calibrated_on, config.calibration.wrong_share)
    changed = change_cines(parts[Split.TEST], config.augmentation, config.loop.seed + 1)
    measured = Measured(predict_cines(state.ema, parts[Split.TEST]), predict_cines(state.ema, changed), calibrated_on)
    report = report_on(measured, calibration, config)
    report["sector_found"] = {split.value: float(frames.is_sector_found.mean()) for split, frames in parts.items()}
    report["frames"] = {split.value: len(frames.frames) for split, frames in parts.items()}
    checkpoint = {
        "model": "view_classifier",
        "config": to_plain(config),
        "preprocessing": preprocessing_fingerprint(),
        "trained_on": "simulated",
        "commit": find_commit(),
        "calibration": asdict(calibration),
        "compute": describe_compute(config, rendering_s, state.spent_s),
        "report": report,
    }
    (folder / CHECKPOINT_FILE).write_text(json.dumps(checkpoint, indent=1))
    return TrainedClassifier(folder, calibration, report)


def _for_calibration(frames: FrameSet, config: ClassifierConfig) -> FrameSet:
    return change_cines(frames, config.augmentation, config.loop.seed) if config.calibration.is_changed else frames


def keep_config(config: ClassifierConfig, folder: Path) -> None:
    """Save the resolved configuration beside the run, or hold it to the one that is there.

    Raises:
        ConfigError: the folder holds another one.
    """
    path = folder / CONFIG_FILE
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(json.dumps(to_plain(config), indent=1))
    elif json.loads(path.read_text()) != to_plain(config):
        raise ConfigError(
            found=f"a run of another configuration in {folder}",
            expected="the same one, to go on with, or an empty folder",
            advice="Choose another --out, or delete that folder.",
        )


def describe_compute(config: ClassifierConfig, rendering_s: float, training_s: float) -> dict[str, Any]:
    """Say what the run cost, for the card."""
    return {
        "rendering_s": round(rendering_s),
        "training_s": round(training_s),
        "device": config.loop.device.value,
        "precision": "bf16" if is_half(config.loop) else "fp32",
        "threads": config.loop.threads,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "weights": WEIGHTS_FILE,
    }


def find_commit() -> str:
    """Name the commit of the code that runs, with a plus where files differ from it; "unknown" outside a checkout."""
    here = Path(__file__).parent

    def ask(*arguments: str) -> str:
        command = ["git", *arguments]  # the user's own git, as on their path
        answer = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)  # noqa: S603
        return answer.stdout.strip() if answer.returncode == 0 else ""

    try:
        commit = ask("rev-parse", "--short=12", "HEAD")
        return commit + ("+" if ask("status", "--porcelain") else "") if commit else "unknown"
    except FileNotFoundError:
        return "unknown"


def _add_up(path: Path, spent_s: float) -> float:
    """Add the time of this run to that of earlier, killed ones."""
    total_s = spent_s + (json.loads(path.read_text())["spent_s"] if path.exists() else 0.0)
    path.write_text(json.dumps({"spent_s": total_s}))
    return float(total_s)
