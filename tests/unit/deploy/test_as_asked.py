"""What the classifier names otherwise than it was asked for is counted."""

import json
from pathlib import Path

import cv2
import numpy as np

from deploy.demo.as_asked import share_as_asked
from services.cine.views import ANSWERED_VIEWS
from tests.builders import tiny_repository
from tests.unit.models.copy_scenes import frames
from training.evaluation.synthesis.features import ClassifierFeatures


def test_the_share_of_images_that_show_the_view_asked_for(tmp_path: Path) -> None:
    models, images = tiny_repository(tmp_path / "models"), frames(range(8))
    answers = ClassifierFeatures(models).answers(images)
    asked = [ANSWERED_VIEWS[answer].value for answer in answers]
    asked[:2] = ["another view"] * 2
    for number, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    rows = [{"file": f"{number}.png", "view": view} for number, view in enumerate(asked)]
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"images": rows}))
    assert share_as_asked(manifest, models) == np.mean([0, 0, 1, 1, 1, 1, 1, 1])
