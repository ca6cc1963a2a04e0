"""The networks have the published size, or the size that the served file and two cores allow."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.unit.training.diffusion.experiments import STYLES, ask
from training.classifier.networks import count_parameters
from training.diffusion.config import DiffusionConfig, NetworkKind, load_preset
from training.diffusion.lean_network import LeanNetwork
from training.diffusion.thesis_network import ThesisNetwork

FILE_LIMIT_BYTES = 15_000_000
HALF_BYTES = 2
GRAPH_BYTES = 600_000
"""Nodes of four evaluations, and small tensors kept in single precision."""

MOST_MULTIPLY_ADDS = 560e6
"""Four evaluations in about 45 ms of one core, of 67 ms that 30 images a second on two cores leave for all."""


def build(preset: str) -> nn.Module:
    config = load_preset(preset, DiffusionConfig)
    kind = {NetworkKind.LEAN: LeanNetwork, NetworkKind.THESIS: ThesisNetwork}[config.network.kind]
    with torch.device("meta"):  # no memory, and nothing drawn
        return kind(config.network, len(config.data.styles))


@pytest.mark.parametrize("preset", ["cpu", "gpu"])
def test_served_network_fits_into_its_file(preset: str) -> None:
    assert HALF_BYTES * count_parameters(build(preset)) + GRAPH_BYTES < FILE_LIMIT_BYTES


def test_served_network_takes_no_more_multiply_adds_than_two_cores_have() -> None:
    network, counted = build("cpu"), 0

    def note(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal counted
        weight = layer.get_parameter("weight")
        counted += output.numel() * weight[0].numel()

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(note)
    with torch.device("meta"):
        network(torch.zeros(1, 1, 112, 112), torch.zeros(1), ask(1))
    assert 0.5 * MOST_MULTIPLY_ADDS < counted <= MOST_MULTIPLY_ADDS


def test_thesis_network_has_the_published_number_of_parameters() -> None:
    assert count_parameters(build("thesis")) / 1e6 == pytest.approx(121, abs=1)  # "120M", Nichol and Dhariwal 2021


def test_thesis_network_gives_noise_and_variance_at_112_px() -> None:
    with torch.device("meta"):
        answer = build("thesis")(torch.zeros(2, 1, 112, 112), torch.zeros(2), ask(2))
    assert answer.shape == (2, 2, 112, 112)


def test_networks_answer_nothing_before_they_have_learned() -> None:
    config = load_preset("smoke", DiffusionConfig).network
    thesis = replace(config, channels=(32, 32), attention_levels=(1,))
    assert not LeanNetwork(config, STYLES)(torch.randn(1, 1, 112, 112), torch.ones(1), ask(1)).any()
    assert not ThesisNetwork(thesis, STYLES)(torch.randn(1, 1, 16, 16), torch.ones(1), ask(1)).any()
