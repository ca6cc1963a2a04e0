"""A seed's image is the same in every batch; what the model may not answer is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.cine.errors import ModelContractError
from services.cine.views import TARGET_VIEWS, View
from services.models.echo_synthesizer import ANY_STYLE, BATCH, Draw, noise_of, synthesize
from services.models.onnx_backend import OnnxBackend
from services.models.repository import ModelIdentity
from services.models.spec import ECHO_SYNTHESIZER
from tests.unit.models.tiny_synthesizer import STYLES, write_synthesizer

IDENTITY = ModelIdentity("echo_synthesizer", "1", "ab" * 32, "onnxruntime", "nothing", 0.0, STYLES)


class Fixed:
    """A backend that answers the same whatever it is asked, and keeps the question."""

    def __init__(self, images: NDArray[Any]) -> None:
        self.images, self.identity = images, IDENTITY
        self.asked: dict[str, NDArray[Any]] = {}

    async def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> dict[str, NDArray[Any]]:
        self.asked = dict(inputs)
        return {"images": self.images}

    async def is_ready(self) -> bool:
        return True

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> OnnxBackend:
    repository = tmp_path_factory.mktemp("models")
    write_synthesizer(repository)
    return OnnxBackend(repository, ECHO_SYNTHESIZER, is_background=True)


def draws(count: int) -> list[Draw]:
    styles = (*STYLES, ANY_STYLE)
    return [Draw(TARGET_VIEWS[at % 4], styles[at % len(styles)], 1000 + at) for at in range(count)]


def test_noise_is_standard_normal_and_the_seeds_own() -> None:
    noise = noise_of(2**53 - 1)
    assert (noise.shape, noise.dtype) == ((1, 112, 112), np.float32)
    assert abs(float(noise.mean())) < 0.05
    assert abs(float(noise.std()) - 1.0) < 0.05
    assert np.array_equal(noise, noise_of(2**53 - 1))
    assert not np.array_equal(noise, noise_of(0))


async def test_an_image_is_the_same_to_the_bit_alone_and_in_any_place_of_a_batch(backend: OnnxBackend) -> None:
    wanted = draws(BATCH)
    together = await synthesize(backend, wanted, 10.0)
    turned = await synthesize(backend, [*wanted[5:], *wanted[:5]], 10.0)
    assert np.array_equal(np.roll(together, -5, axis=0), turned)
    for at in (0, 7, BATCH - 1):
        assert np.array_equal((await synthesize(backend, [wanted[at]], 10.0))[0], together[at])
    assert len({image.tobytes() for image in together}) == BATCH


async def test_view_and_style_go_to_the_model_as_the_indices_of_its_own_lists() -> None:
    fixed = Fixed(np.zeros((BATCH, 1, 112, 112), np.float32))
    await synthesize(fixed, [Draw(View.PSAX, STYLES[1], 4), Draw(View.A2C, ANY_STYLE, 5)], 1.0)
    assert fixed.asked["view"][:2, 0].tolist() == [3, 0]
    assert fixed.asked["style"][:2, 0].tolist() == [1, len(STYLES)]
    assert np.array_equal(fixed.asked["noise"][1], noise_of(5))
    for tensor in ECHO_SYNTHESIZER.inputs:
        assert fixed.asked[tensor.name].shape == (BATCH, *tensor.shape)
        assert fixed.asked[tensor.name].dtype == {"FP32": np.float32, "INT64": np.int64}[tensor.datatype]


@pytest.mark.parametrize(
    "images",
    [
        np.full((BATCH, 1, 112, 112), np.nan, np.float32),
        np.full((BATCH, 1, 112, 112), 1.5, np.float32),
        np.zeros((1, 1, 112, 112), np.float32),
    ],
    ids=["no numbers", "out of range", "too few"],
)
async def test_an_answer_that_is_no_images_is_a_broken_contract(images: NDArray[Any]) -> None:
    with pytest.raises(ModelContractError, match="images"):
        await synthesize(Fixed(images), draws(1), 1.0)


async def test_a_style_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(ModelContractError, match="style"):
        await synthesize(Fixed(np.zeros(0)), [replace(draws(1)[0], style="of another model")], 1.0)


def test_a_synthesizer_without_its_styles_is_not_served(tmp_path: Path) -> None:
    folder = write_synthesizer(tmp_path)
    config = (folder / "config.pbtxt").read_text()
    (folder / "config.pbtxt").write_text(config.replace('"styles"', '"stiles"'))
    with pytest.raises(ModelContractError, match="styles"):
        OnnxBackend(tmp_path, ECHO_SYNTHESIZER)


def test_a_synthesizer_of_no_styles_offers_none(tmp_path: Path) -> None:
    write_synthesizer(tmp_path, styles="")
    assert OnnxBackend(tmp_path, ECHO_SYNTHESIZER).identity.styles == ()


def test_the_repository_says_which_styles_there_are(backend: OnnxBackend) -> None:
    assert backend.identity.styles == STYLES
    assert backend.identity.abstain_below == 0.0
