"""From a distilled run to a folder that both backends serve: noise, view and style in, images out, in one graph."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from services.cine.errors import ConfigError
from services.cine.views import TARGET_VIEWS
from services.models.copy_index import INDEX_FILE, save_index
from services.models.spec import ECHO_SYNTHESIZER
from training.classifier.networks import count_parameters
from training.configuration import build_config
from training.diffusion.card import write_synthesizer_card
from training.diffusion.condition import Condition
from training.diffusion.config import DistilConfig
from training.diffusion.copy_card import warn_of_false_alarms, write_copy_filter
from training.diffusion.denoiser import Denoiser
from training.diffusion.drawing import finish
from training.diffusion.recipe import STUDENT, load_denoiser
from training.diffusion.samplers import ddim
from training.evaluation.synthesis.indexing import MOST_FALSE_ALARMS
from training.evaluation.synthesis.trained import draw_sample, load_trained
from training.export.half_precision import round_to_half
from training.export.onnx import answer_in_torch
from training.export.repository_writer import VERSION, Export, write_model
from training.run_folder import read_checkpoint

PARITY_TOLERANCE = 1e-3
"""Largest difference of any pixel, of a range of 2: an eighth of a grey level. Four evaluations in a row, the first of
them on values of tens, leave more rounding than a classifier's one."""

_GOLDEN_SEED = 20_230_601


class FewSteps(nn.Module):
    """A student and all its steps: what is exported.

    Args:
        denoiser: distilled, its guidance inside.
        nodes: falling noise levels at which it is evaluated.
    """

    def __init__(self, denoiser: Denoiser, nodes: tuple[float, ...]) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.register_buffer("sigmas", torch.tensor([*nodes, 0.0]), persistent=False)

    def forward(self, noise: Tensor, view: Tensor, style: Tensor) -> tuple[Tensor]:
        """Turn noise [B, 1, 112, 112], view [B, 1] and style [B, 1] into images [B, 1, 112, 112] in [-1, 1]."""
        condition = Condition(view[:, 0], style[:, 0])
        return (finish(ddim(self.denoiser, noise, torch.as_tensor(self.sigmas), condition)),)


def export_synthesizer(checkpoint_folder: Path, repository: Path, cache_folder: Path) -> Path:
    """Export a distilled generator, held to torch's images of the golden noise.

    Args:
        checkpoint_folder: what `train distil` wrote.
        repository: the model repository.
        cache_folder: the one that the run had: the copy filter's index is made of the pictures it learned from.

    Returns:
        The model's folder.

    Raises:
        ConfigError: the folder holds no finished run of it, one for another preprocessing, or one with too few
            held-out subjects for a copy filter.
        ParityError: onnxruntime answers otherwise than torch; nothing was written.
    """
    checkpoint = read_checkpoint(checkpoint_folder)
    if checkpoint["model"] != STUDENT:
        raise ConfigError(
            found=f"a run of {checkpoint['model']}",
            expected=f"one of {STUDENT}",
            advice="Distil it first: `echoplane train distil`.",
        )
    config = build_config(checkpoint["config"], DistilConfig)
    network = FewSteps(load_denoiser(checkpoint, checkpoint_folder), config.nodes).eval()
    round_to_half(network)
    export = Export(
        spec=ECHO_SYNTHESIZER,
        network=network,
        golden=answer_in_torch(network, ECHO_SYNTHESIZER, make_golden_inputs(len(checkpoint["styles"]))),
        parameters={
            "trained_on": checkpoint["trained_on"],
            "styles": ",".join(checkpoint["styles"]),
            "evaluations": str(len(config.nodes)),
            "recipe": f"{checkpoint['teacher']['config']['recipe']}, {config.recipe}",
            "commit": checkpoint["commit"],
        },
        card=lambda sha256, parity: write_synthesizer_card(checkpoint, count_parameters(network), sha256, parity),
        tolerance=PARITY_TOLERANCE,
        is_half=True,
        finish=lambda made, sha256: _write_copy_index(made, sha256, checkpoint, checkpoint_folder, cache_folder),
    )
    return write_model(export, repository)


def _write_copy_index(made: Path, sha256: str, checkpoint: dict[str, Any], run: Path, cache_folder: Path) -> str:
    """Write the index beside the weights, or where people's pictures are behind it into the run's folder; say so."""
    trained = load_trained(checkpoint, cache_folder)
    sample = draw_sample(made / VERSION / "model.onnx", len(trained.styles))
    index = trained.index(sha256, sample)
    save_index(index, (made if trained.is_simulated else run) / INDEX_FILE)
    if index.reference.threshold > MOST_FALSE_ALARMS:
        print(f"warning: {warn_of_false_alarms(index)}", file=sys.stderr)
    return write_copy_filter(index)


def make_golden_inputs(styles: int) -> dict[str, NDArray[Any]]:
    """Draw noise for every view and "any", each in another style, "any" first: five of each input."""
    count = len(TARGET_VIEWS) + 1
    generator = np.random.Generator(np.random.Philox(key=_GOLDEN_SEED))
    noise = generator.standard_normal((count, *ECHO_SYNTHESIZER.inputs[0].shape), np.float32)
    asked = np.arange(count, dtype=np.int64)[:, None]
    return {"noise": noise, "view": asked, "style": (styles - asked) % (styles + 1)}
