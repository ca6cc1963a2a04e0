"""Which exporter a finished run needs."""

from __future__ import annotations

from pathlib import Path

from training.classifier.export import export_classifier
from training.diffusion.export import export_synthesizer
from training.run_folder import read_checkpoint


def export_run(checkpoint_folder: Path, repository: Path) -> Path:
    """Export what a run of `train classifier` or `train distil` left; arguments and errors as theirs."""
    is_classifier = read_checkpoint(checkpoint_folder)["model"] == "view_classifier"
    return (export_classifier if is_classifier else export_synthesizer)(checkpoint_folder, repository)
