"""What the client makes of gRPC's own errors."""

from __future__ import annotations

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from services.cine.errors import CapacityError
from services.client import call_error
from services.runtime.rpc import to_status


def error(code: grpc.StatusCode, details: str, *trailing: tuple[str, bytes]) -> AioRpcError:
    return AioRpcError(code, Metadata(), Metadata(*trailing), details)


def test_reason_and_time_to_wait_come_from_the_details() -> None:
    status = to_status(CapacityError(found="a", expected="b", advice="c", retry_after_s=2.5))
    packed = ("grpc-status-details-bin", status.SerializeToString())
    told = call_error(error(grpc.StatusCode.RESOURCE_EXHAUSTED, status.message, packed))
    assert (told.code, told.reason, told.retry_after_s) == ("RESOURCE_EXHAUSTED", "QUEUE_FULL", 2.5)
    assert str(told) == f"RESOURCE_EXHAUSTED QUEUE_FULL: {status.message}"


@pytest.mark.parametrize(
    ("code", "details"),
    [(grpc.StatusCode.UNAVAILABLE, "Socket closed"), (grpc.StatusCode.INTERNAL, "Internal error from Core")],
)
def test_a_connection_that_breaks_off_is_a_gateway_that_is_away(code: grpc.StatusCode, details: str) -> None:
    told = call_error(error(code, details))
    assert (told.code, told.reason) == ("UNAVAILABLE", "")
    assert "make serve" in told.message


def test_a_bug_of_the_gateway_is_not_taken_for_its_absence() -> None:
    assert call_error(error(grpc.StatusCode.INTERNAL, "internal error")).code == "INTERNAL"
