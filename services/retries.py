"""When a call of the gateway is made again, and after which pause: only where its contract allows that."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

AWAY = "UNAVAILABLE"
"""The one status that is retried blindly."""

FULL = "RESOURCE_EXHAUSTED"
"""Retried after its RetryInfo, if it has one."""


@dataclass(frozen=True)
class Retry:
    """How calls are made again. Every call of the gateway may be: what was done already is not done twice.

    Attributes:
        away_s: how long a gateway may be away in a row, time for it to be started again, s.
        first_pause_s: about the pause before the second try, s; each pause is twice the one before,
        longest_pause_s: up to about this, s, and half as long again by chance, so that not all come back at once.
        waits_for_start: whether a gateway that was never reached is waited for too; else a wrong address or authority
            is told at once.
    """

    away_s: float = 30.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 5.0
    waits_for_start: bool = False


DEFAULT_RETRY = Retry()


class Tries:
    """The tries of one call.

    Args:
        retry: how it is made again; None not at all.
        timeout_s: for all tries together, s; None for ever.
        clock: gives the time, s.
    """

    def __init__(
        self, retry: Retry | None, timeout_s: float | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._retry, self._clock = retry, clock
        self._end_s = None if timeout_s is None else clock() + timeout_s
        self._code, self._since_s, self._count = "", 0.0, 0

    @property
    def left_s(self) -> float | None:
        """Time for the next try, s; None for ever."""
        return None if self._end_s is None else max(0.0, self._end_s - self._clock())

    def went_well(self) -> None:
        """Begin anew: something came back."""
        self._code = ""

    def pause_s(self, code: str, retry_after_s: float | None) -> float | None:
        """Give the pause before the next try, s; None where there must be none, or no time for one.

        Args:
            code: gRPC status code of the last try, by name.
            retry_after_s: of its RetryInfo, s, or None.
        """
        if self._retry is None or not (code == AWAY or (code == FULL and retry_after_s is not None)):
            return None
        now_s = self._clock()
        if code != self._code:
            self._code, self._since_s, self._count = code, now_s, 0
        grown_s = min(self._retry.longest_pause_s, self._retry.first_pause_s * 2 ** min(self._count, 30))
        pause_s = max(retry_after_s or 0.0, grown_s) * random.uniform(1.0, 1.5)
        self._count += 1
        patience_s = self._retry.away_s if code == AWAY else math.inf
        end_s = math.inf if self._end_s is None else self._end_s
        return None if now_s + pause_s > min(end_s, self._since_s + patience_s) else pause_s
