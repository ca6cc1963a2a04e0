"""Inception's features come from a file of its weights, here random ones: the published ones need a download."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import inception_v3

from services.cine.errors import ConfigError
from tests.unit.models.copy_scenes import frames
from training.evaluation.synthesis.distances import kernel_distance
from training.evaluation.synthesis.features import InceptionFeatures


def test_a_file_of_weights_describes_pictures_and_a_set_against_itself_is_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(inception_v3(weights=None, init_weights=False, aux_logits=True).state_dict(), tmp_path / "weights.pth")
    describer = InceptionFeatures(tmp_path / "weights.pth")
    pictures = frames(range(4))
    features = describer.describe(pictures)
    assert features.shape == (4, 2048)
    assert np.isfinite(features).all()
    assert (features != features[:1]).any(axis=1).tolist() == [False, True, True, True]
    assert np.array_equal(describer.describe(pictures), features)
    assert kernel_distance(features, features) == pytest.approx(0, abs=1e-6)


def test_another_file_is_refused(tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "other.pth")
    for name in ("other.pth", "missing.pth"):
        with pytest.raises(ConfigError, match=r"no Inception network from \w+\.pth"):
            InceptionFeatures(tmp_path / name)
