"""Train where only torch, numpy and OpenCV are installed, on one GPU or, under torchrun, on several.

    python -m training.diffusion train CONFIG.json OUT [CACHE]
    python -m training.diffusion distil CONFIG.json TEACHER OUT [CACHE]
    torchrun --nproc-per-node 4 -m training.diffusion train CONFIG.json OUT

Of several processes the first one renders; the others wait for it, a day at most.
"""

import sys
from pathlib import Path

from training.configuration import load_config
from training.diffusion.config import DiffusionConfig, DistilConfig
from training.diffusion.recipe import distil_diffusion, train_diffusion

if __name__ == "__main__":
    verb, *paths = sys.argv[1:] or [""]
    wanted = {"train": 2, "distil": 3}.get(verb, 0)
    if not wanted or len(paths) not in (wanted, wanted + 1):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    config, *folders = (Path(path) for path in paths)
    cache = folders.pop() if len(paths) > wanted else folders[-1].parent / "frames"
    if verb == "train":
        train_diffusion(load_config(config, DiffusionConfig), folders[0], cache)
    else:
        distil_diffusion(load_config(config, DistilConfig), folders[0], folders[1], cache)
