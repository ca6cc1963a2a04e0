"""Every model that the repository holds answers as it did where it was exported, and is no larger than it may be."""

from pathlib import Path

import numpy as np
import pytest

from services.models.spec import ECHO_SYNTHESIZER, VIEW_CLASSIFIER, ModelSpec
from training.diffusion.export import PARITY_TOLERANCE
from training.export.onnx import Golden, check_parity

REPOSITORY = Path(__file__).parents[2] / "model_repository"
SPECS = {spec.name: spec for spec in (VIEW_CLASSIFIER, ECHO_SYNTHESIZER)}
MOST_BYTES = {VIEW_CLASSIFIER.name: 12_000_000, ECHO_SYNTHESIZER.name: 15_000_000}
COMMITTED = [SPECS[path.parent.name] for path in sorted(REPOSITORY.glob("*/config.pbtxt"))]


@pytest.mark.parametrize("spec", COMMITTED, ids=[spec.name for spec in COMMITTED])
def test_committed_weights_give_their_golden_answers(spec: ModelSpec) -> None:
    weights = REPOSITORY / spec.name / "1" / "model.onnx"
    with np.load(weights.with_name("golden.npz")) as held:
        inputs, outputs = ({tensor.name: held[tensor.name] for tensor in part} for part in (spec.inputs, spec.outputs))
    assert check_parity(weights, Golden(inputs, outputs), PARITY_TOLERANCE) < PARITY_TOLERANCE


@pytest.mark.parametrize("spec", COMMITTED, ids=[spec.name for spec in COMMITTED])
def test_committed_weights_are_small(spec: ModelSpec) -> None:
    assert (REPOSITORY / spec.name / "1" / "model.onnx").stat().st_size <= MOST_BYTES[spec.name]
