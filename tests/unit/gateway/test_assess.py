"""Bytes to assessment, with a reader and a model that stand still."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from services.cine.errors import InputError, ModelTimeoutError
from services.cine.intake import STAGES, Intake, IntakeOptions, take_in
from services.cine.views import View
from services.gateway.assess import Assessor
from services.models.repository import ModelIdentity
from tests.builders import dicom_bytes, fan_frames


class Reader:
    """Reads in this thread."""

    def take_in(self, data: bytes, options: IntakeOptions) -> Intake:
        return take_in(data, options)


class Model:
    """Answers PLAX, or does not answer."""

    identity = ModelIdentity("view_classifier", "1", "", "onnxruntime", "nothing", 0.5)

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.shapes: list[tuple[int, ...]] = []

    async def infer(self, inputs: Mapping[str, NDArray[Any]], timeout_s: float) -> dict[str, NDArray[Any]]:
        if self.error:
            raise self.error
        self.shapes.append(inputs["frames"].shape)
        return {"logits": np.array([[0, 0, 5, 0, 0]] * len(inputs["frames"]), np.float32)}


def assessor(model: Model) -> Assessor:
    return Assessor(Reader(), model, None, 1.0)  # type: ignore[arg-type]


async def test_an_assessment_has_intake_prediction_identity_and_every_stage() -> None:
    model = Model()
    assessment = await assessor(model).assess(dicom_bytes(fan_frames()), IntakeOptions(max_frames=4))
    assert assessment.prediction is not None
    assert assessment.prediction.view is View.PLAX
    assert model.shapes == [(4, 1, 112, 112)]
    assert assessment.identity is model.identity
    assert list(assessment.timings_ms) == [*STAGES, "infer", "total"]
    assert assessment.timings_ms["total"] >= assessment.timings_ms["infer"]


async def test_the_model_is_not_asked_where_there_is_nothing_to_see() -> None:
    model = Model()
    assessment = await assessor(model).assess(dicom_bytes(fan_frames(), Modality="CT"), IntakeOptions())
    assert assessment.prediction is None
    assert model.shapes == []
    assert list(assessment.timings_ms) == [*STAGES, "total"]


async def test_errors_of_reader_and_model_pass_through() -> None:
    with pytest.raises(InputError):
        await assessor(Model()).assess(b"no cine", IntakeOptions())
    late = ModelTimeoutError(found="a", expected="b", advice="c")
    with pytest.raises(ModelTimeoutError):
        await assessor(Model(late)).assess(dicom_bytes(fan_frames()), IntakeOptions())


class SlowReader:
    """Reads until it is let go."""

    def __init__(self) -> None:
        self.started, self.go_on, self.has_ended = threading.Event(), threading.Event(), False

    def take_in(self, data: bytes, options: IntakeOptions) -> Intake:
        self.started.set()
        self.go_on.wait(10)
        self.has_ended = True
        return take_in(data, options)


async def test_a_cancelled_request_keeps_its_place_until_its_cine_is_read() -> None:
    reader = SlowReader()
    slow = Assessor(reader, Model(), None, 1.0)  # type: ignore[arg-type]
    request = asyncio.create_task(slow.assess(dicom_bytes(fan_frames()), IntakeOptions()))
    await asyncio.to_thread(reader.started.wait, 10)
    request.cancel()
    await asyncio.sleep(0)
    assert not request.done()
    reader.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert reader.has_ended
