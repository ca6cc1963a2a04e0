from __future__ import annotations

import pytest
from tritonclient.utils import InferenceServerException

from services.cine.errors import (
    CapacityError,
    EchoplaneError,
    ModelContractError,
    ModelTimeoutError,
    ModelUnavailableError,
)
from services.models.triton_backend import translate


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        ("UNAVAILABLE", "[request id: <id_unknown>] Exceeds maximum queue size", CapacityError),
        ("UNAVAILABLE", "[request id: <id_unknown>] Request timeout expired", ModelTimeoutError),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", ModelTimeoutError),
        ("INVALID_ARGUMENT", "unexpected shape for input 'frames' for model 'view_classifier'", ModelContractError),
        ("UNAVAILABLE", "failed to connect to all addresses", ModelUnavailableError),
        ("NOT_FOUND", "Request for unknown model: 'view_classifier' is not found", ModelUnavailableError),
        ("INTERNAL", "onnx runtime error 2", ModelUnavailableError),
        (None, "", ModelUnavailableError),
    ],
)
def test_what_triton_says_becomes_a_typed_error(
    status: str | None, message: str, expected: type[EchoplaneError]
) -> None:
    error = translate(InferenceServerException(message, status and f"StatusCode.{status}"))
    assert type(error) is expected


def test_silence_is_a_timeout() -> None:
    assert isinstance(translate(TimeoutError()), ModelTimeoutError)


def test_full_queue_tells_when_to_come_back_and_is_not_a_model_error() -> None:
    error = translate(InferenceServerException("Exceeds maximum queue size", "StatusCode.UNAVAILABLE"))
    assert isinstance(error, CapacityError)
    assert error.retry_after_s > 0
