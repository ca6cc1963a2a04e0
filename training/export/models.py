"""Which exporter a finished run needs."""

from __future__ import annotations

from pathlib import Path

from training.classifier.export import export_classifier
from training.diffusion.export import export_synthesizer
from training.run_folder import read_checkpoint


def export_run(checkpoint_folder: Path, repository: Path, cache_folder: Path) -> Path:
    """Export what a run of `train classifier` or `train distil` left; arguments and errors as theirs.

    Args:
        checkpoint_folder: of the run.
        repository: the model repository.
        cache_folder: the one that the run had: a generator's copy filter needs the pictures it learned from.
    """
    if read_checkpoint(checkpoint_folder)["model"] == "view_classifier":
        return export_classifier(checkpoint_folder, repository)
    return export_synthesizer(checkpoint_folder, repository, cache_folder)
