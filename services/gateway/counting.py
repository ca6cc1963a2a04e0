"""Counts a call that has no more to it than its outcome and its time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from services.cine.errors import EchoplaneError
from services.gateway.metrics import GatewayMetrics

_log = structlog.get_logger()


class Asked:
    """What is known of a call.

    Attributes:
        request_id: once it is known to be well formed.
        is_served: whether a caller who leaves now has had what it came for.
    """

    request_id = ""
    is_served = False


@contextmanager
def counted(metrics: GatewayMetrics, event: str, method: str) -> Iterator[Asked]:
    """Count a call's outcome and time, and log one line of it.

    Args:
        metrics: where it is counted.
        event: of the log line.
        method: that is called.
    """
    start, asked = time.perf_counter(), Asked()
    outcome, reason = "error", "CANCELLED"
    try:
        yield asked
        outcome, reason = "accepted", ""
    except EchoplaneError as error:
        reason = error.reason.value
        raise
    except Exception:
        reason = "INTERNAL"
        raise
    finally:
        if asked.is_served and reason == "CANCELLED":
            outcome, reason = "accepted", ""
        spent = time.perf_counter() - start
        metrics.requests.labels(method, outcome, reason).inc()
        metrics.request_duration.labels(method).observe(spent)
        words = {"method": method, "request_id": asked.request_id, "outcome": outcome, "reason": reason}
        _log.info(event, **words, duration_s=round(spent, 4))
