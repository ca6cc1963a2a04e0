"""Train where only torch, numpy and OpenCV are installed: `python -m training.classifier CONFIG.json OUT [CACHE]`."""

import sys
from pathlib import Path

from training.classifier.config import ClassifierConfig
from training.classifier.recipe import train_classifier
from training.configuration import load_config

if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        sys.exit(2)
    out = Path(sys.argv[2])
    cache = Path(sys.argv[3]) if len(sys.argv) == 4 else out.parent / "frames"
    train_classifier(load_config(Path(sys.argv[1]), ClassifierConfig), out, cache)
