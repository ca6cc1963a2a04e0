"""The networks have the published size, or the size that the served file and two cores allow."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.unit.training.diffusion.experiments import STYLES, ask
from training.classifier.networks import count_parameters
from training.diffusion.config import DiffusionConfig, NetworkKind, load_preset
from training.diffusion.lean_network import LeanNetwork, fine_bands
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


def test_fine_bands_have_unit_size_and_nothing_of_an_even_picture() -> None:
    bands = fine_bands(0.3 * torch.randn(2, 1, 112, 112, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(bands.square().mean(dim=(2, 3)), torch.ones(2, 2), atol=0.01)
    assert float(fine_bands(torch.full((1, 1, 112, 112), 0.7)).abs().max()) < 1e-3


def test_finest_band_holds_the_finest_stripes() -> None:
    columns = torch.arange(112.0)
    shares = []
    for period_px in (2.5, 6.0):
        stripes = torch.sin(2 * torch.pi * columns / period_px).expand(1, 1, 112, 112)
        both = fine_bands(stripes + torch.sin(2 * torch.pi * columns / 4.0).expand(1, 1, 112, 112))
        spectrum = torch.fft.rfft(both[0, :, 50]).abs()
        place = round(112 / period_px)
        shares.append(float(spectrum[0, place] / spectrum[1, place]))
    assert shares[0] > 2 * shares[1]


def test_patches_let_every_pixel_through_where_they_are_told_to() -> None:
    """A network of 28x28 places can answer each of 112x112 pixels by itself."""
    network = LeanNetwork(load_preset("smoke", DiffusionConfig).network, STYLES)
    bias = network.answer.bias
    assert bias is not None
    bias.data[16:32] = -1.0  # of the finest band's sixteen pixels
    noisy = torch.randn(1, 1, 112, 112, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        answer = network(noisy, torch.ones(1), ask(1))
    assert torch.allclose(answer, -fine_bands(noisy)[:, :1], atol=1e-5)
