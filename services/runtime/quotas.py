"""What a site has left: requests, bytes and synthetic images, each a bucket that fills steadily."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from services.cine.errors import CapacityError, Reason
from services.runtime.sites import SiteQuota

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86400.0


@dataclass
class Bucket:
    """Holds at most `size` and fills from empty to full in `period_s`.

    Attributes:
        what: is counted, in words.
        size: most that may be taken at once.
        period_s: time to fill, s.
        clock: gives the time, s.
    """

    what: str
    size: float
    period_s: float
    clock: Callable[[], float] = time.monotonic
    _left: float = field(init=False)
    _seen_s: float = field(init=False)
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        """Start full."""
        self._left, self._seen_s = self.size, self.clock()

    def take(self, amount: float) -> None:
        """Take some out.

        Raises:
            CapacityError: not so much is left; says when it will be.
        """
        with self._lock:
            now_s = self.clock()
            self._left = min(self.size, self._left + (now_s - self._seen_s) * self.size / self.period_s)
            self._seen_s = now_s
            if amount <= self._left:
                self._left -= amount
                return
            wait_s = (min(amount, self.size) - self._left) * self.period_s / self.size if self.size else self.period_s
        raise CapacityError(
            found=f"the site's quota of {self.what} used up ({self.size:g} in {self.period_s:g} s)",
            expected=f"{amount:g} left",
            advice="Wait as long as RetryInfo says, or ask for a larger quota.",
            retry_after_s=wait_s,
            reason=Reason.QUOTA,
        )


class Quota:
    """The three buckets of one site."""

    def __init__(self, quota: SiteQuota, clock: Callable[[], float] = time.monotonic) -> None:
        self.requests = Bucket("requests", quota.requests_per_minute, MINUTE_S, clock)
        self.received_bytes = Bucket("bytes", quota.megabytes_per_hour * 1e6, HOUR_S, clock)
        self.images = Bucket("synthetic images", quota.images_per_day, DAY_S, clock)
