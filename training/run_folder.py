"""What every finished or unfinished run of a training keeps in its folder, beside what the loop itself writes."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from services.cine.errors import ConfigError
from services.cine.preprocessing import preprocessing_fingerprint
from training.configuration import to_plain
from training.json_file import write_json
from training.loop import WEIGHTS_FILE, LoopConfig, is_half

CONFIG_FILE = "config.json"
CHECKPOINT_FILE = "checkpoint.json"
RENDERING_FILE = "rendering.json"


def keep_config(config: object, folder: Path) -> None:
    """Save the resolved configuration beside the run, or hold it to the one that is there.

    Raises:
        ConfigError: the folder holds another one.
    """
    path = folder / CONFIG_FILE
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        write_json(path, to_plain(config))
    elif json.loads(path.read_text()) != to_plain(config):
        raise ConfigError(
            found=f"a run of another configuration in {folder}",
            expected="the same one, to go on with, or an empty folder",
            advice="Choose another --out, or delete that folder.",
        )


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """Read what a finished run left.

    Raises:
        ConfigError: there is none, or its frames were preprocessed otherwise.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        raise ConfigError(
            found=f"no {CHECKPOINT_FILE} in {folder}",
            expected="a finished training run",
            advice="Name the folder of a finished `echoplane train`; an unfinished one goes on where it was.",
        )
    checkpoint: dict[str, Any] = json.loads(path.read_text())
    if checkpoint["preprocessing"] != preprocessing_fingerprint():
        raise ConfigError(
            found=f"a run on frames of preprocessing {checkpoint['preprocessing']}",
            expected=f"{preprocessing_fingerprint()}, which this version does",
            advice="Train again.",
        )
    return checkpoint


def describe_compute(loop: LoopConfig, rendering_s: float, training_s: float) -> dict[str, Any]:
    """Say what the run cost, for the card."""
    return {
        "rendering_s": round(rendering_s),
        "training_s": round(training_s),
        "device": loop.device.value,
        "precision": "bf16" if is_half(loop) else "fp32",
        "threads": loop.threads,
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


def add_up(path: Path, spent_s: float) -> float:
    """Add the time of this run to that of earlier, killed ones."""
    total_s = spent_s + (json.loads(path.read_text())["spent_s"] if path.exists() else 0.0)
    write_json(path, {"spent_s": total_s})
    return float(total_s)
