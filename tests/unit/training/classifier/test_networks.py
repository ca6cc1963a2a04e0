"""The network keeps the contract, forgets gain, and stays small."""

from dataclasses import replace

import torch

from services.cine.preprocessing import MODEL_SIDE_PX
from services.models.spec import VIEW_CLASSIFIER
from tests.unit.training.classifier.test_augmentation import make_frames
from training.classifier.config import load_preset
from training.classifier.networks import (
    CalibratedNetwork,
    GatedAnswer,
    Standardise,
    ViewNetwork,
    count_multiply_adds,
    count_parameters,
    fill_between,
)


def test_outputs_have_the_shapes_of_the_spec() -> None:
    network = ViewNetwork(load_preset("smoke").network).eval()
    outputs = network(make_frames(3))
    for tensor, output in zip(VIEW_CLASSIFIER.outputs, outputs, strict=True):
        assert output.shape == (3, *tensor.shape)


def test_labels_are_in_the_order_of_the_spec() -> None:
    assert VIEW_CLASSIFIER.labels == ("A2C", "A4C", "PLAX", "PSAX", "OTHER")


def test_shipped_network_is_within_its_budget() -> None:
    network = ViewNetwork(load_preset("cpu").network)
    assert count_parameters(network) <= 3_000_000
    assert 60e6 <= count_multiply_adds(network, MODEL_SIDE_PX) <= 150e6


def test_gain_hardly_changes_what_the_network_sees() -> None:
    frames = make_frames(2)
    darker = (frames + 1) * 0.4 - 1
    seen, seen_darker = Standardise()(frames), Standardise()(darker)
    assert float((seen - seen_darker).abs().mean()) < 0.1
    assert torch.equal(seen[:, 2], seen_darker[:, 2])


def test_black_cavity_counts_as_inside_and_black_surroundings_do_not() -> None:
    frames = make_frames(1)
    frames[:, :, 50:80, 45:65] = -1.0
    inside = fill_between((frames > -1).float())
    assert inside[0, 0, 50:80, 45:65].min() == 1
    assert inside[0, 0, :20, :20].max() == 0


def test_empty_frame_gives_finite_answers() -> None:
    logits, embedding = ViewNetwork(load_preset("smoke").network).eval()(torch.full((1, 1, 112, 112), -1.0))
    assert torch.isfinite(logits).all()
    assert torch.isfinite(embedding).all()


def test_temperature_divides_logits_and_leaves_the_embedding() -> None:
    network = ViewNetwork(load_preset("smoke").network).eval()
    logits, embedding = network(make_frames(2))
    cooled, same = CalibratedNetwork(network, 2.0).eval()(make_frames(2))
    assert torch.allclose(cooled * 2.0, logits)
    assert torch.equal(same, embedding)


def test_gated_answer_is_a_probability_of_five_whatever_the_gate_says() -> None:
    answer = GatedAnswer(8)
    embedding = 50.0 * torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    probabilities = answer(embedding).exp()
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(6), atol=1e-5)
    assert torch.isfinite(answer(embedding)).all()
    assert torch.allclose(probabilities[:, -1], torch.sigmoid(-answer.is_one(embedding))[:, 0], atol=1e-6)


def test_five_answers_may_also_compete() -> None:
    network = ViewNetwork(replace(load_preset("smoke").network, is_gated=False)).eval()
    assert network(make_frames(2))[0].shape == (2, 5)
