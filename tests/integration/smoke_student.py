"""A generator of seconds, trained, distilled and exported as an engineer would: its weights are worth nothing."""

from __future__ import annotations

from pathlib import Path

from training.diffusion.config import DiffusionConfig, DistilConfig, load_preset
from training.diffusion.recipe import distil_diffusion, train_diffusion
from training.export.models import export_run


def make_student(folder: Path, repository: Path, teacher: DiffusionConfig | None = None) -> Path:
    """Train in `teacher/`, distil in `student/`, render into `frames/`, and export; gives the model's folder."""
    frames = folder / "frames"
    train_diffusion(teacher or load_preset("smoke", DiffusionConfig), folder / "teacher", frames)
    distil_diffusion(load_preset("smoke", DistilConfig), folder / "teacher", folder / "student", frames)
    return export_run(folder / "student", repository, frames)
