"""The whole training of the view classifier: render, train, calibrate, report; resumable from any kill."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from services.cine.preprocessing import preprocessing_fingerprint
from training.classifier.calibration import Calibration, calibrate
from training.classifier.config import ClassifierConfig
from training.classifier.dataset import FrameSet, load_frames
from training.classifier.report import Measured, report_on
from training.classifier.splits import Split
from training.classifier.task import ClassifierTask, change_cines, predict_cines
from training.configuration import to_plain
from training.json_file import write_json
from training.loop import train
from training.run_folder import CHECKPOINT_FILE, RENDERING_FILE, add_up, describe_compute, find_commit, keep_config


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
    rendering_s = add_up(folder / RENDERING_FILE, time.monotonic() - started)
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
        "compute": describe_compute(config.loop, rendering_s, state.spent_s),
        "report": report,
    }
    write_json(folder / CHECKPOINT_FILE, checkpoint)
    return TrainedClassifier(folder, calibration, report)


def _for_calibration(frames: FrameSet, config: ClassifierConfig) -> FrameSet:
    return change_cines(frames, config.augmentation, config.loop.seed) if config.calibration.is_changed else frames
