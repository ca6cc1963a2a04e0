"""Look at what a generator makes, finished or not: `python -m training.diffusion.contact_sheet RUN OUT.png`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from services.cine.cine import UInt8Array
from services.cine.preprocessing import to_frames
from services.cine.views import TARGET_VIEWS
from training.configuration import build_config
from training.diffusion.condition import Condition
from training.diffusion.config import DiffusionConfig
from training.diffusion.denoiser import Denoiser
from training.diffusion.drawing import draw_images
from training.loop import CHECKPOINT_FILE
from training.run_folder import CONFIG_FILE
from training.tensor_file import read_tensors

_COLUMNS = 8
_GAP_PX = 2


def lay_out(images: Tensor, columns: int) -> UInt8Array:
    """Put images [N, 1, H, W] in [-1, 1] in rows, with gaps between them; N is a multiple of columns."""
    tiles = np.pad(to_frames(images.numpy()), ((0, 0), (0, _GAP_PX), (0, _GAP_PX)), constant_values=90)
    rows = tiles.reshape(-1, columns, *tiles.shape[1:])  # [N, H, W] -> [R, K, H, W]
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows])


def every_view(columns: int, styles: int) -> Condition:
    """Ask for every view in as many styles as there are columns, by turns; without styles (0) in any."""
    view = torch.arange(len(TARGET_VIEWS)).repeat_interleave(columns)
    return Condition(view, torch.arange(columns).repeat(len(TARGET_VIEWS)) % max(styles, 1))


def draw_unfinished(run: Path) -> UInt8Array:
    """Draw a row a view with the averaged weights of a teacher's last checkpoint."""
    config = build_config(json.loads((run / CONFIG_FILE).read_text()), DiffusionConfig)
    styles = len(config.styles)
    denoiser = Denoiser(config.network, config.objective, styles).eval()
    saved = read_tensors(run / CHECKPOINT_FILE)[0]
    denoiser.load_state_dict({name[4:]: value for name, value in saved.items() if name.startswith("ema.")})
    return lay_out(draw_images(denoiser, config.sampling, every_view(_COLUMNS, styles), config.loop.seed), _COLUMNS)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    cv2.imwrite(sys.argv[2], draw_unfinished(Path(sys.argv[1])))
