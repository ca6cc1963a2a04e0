"""Every metric of the DICOM node, on a registry it is given."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from services.acquisition.inbox import State
from services.acquisition.inbox_list import InboxList
from services.cine.errors import EchoplaneError, Reason

ACCEPTED, REFUSED = "accepted", "refused"
REFUSALS = (
    *("CALLED_TITLE", "TOO_MANY"),
    *(Reason.UNAUTHENTICATED, Reason.SITE_DENIED, Reason.CERTIFICATE_DENIED, Reason.TITLE_DENIED),
)
"""Why a peer gets no association."""

ANSWERS = ("kept", "full", "not_that_object", "cannot_understand", "failure")
"""What a C-STORE is answered: 0000, A700, A900, C000, 0110."""

_STATUSES = (
    *("CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)
"""Of gRPC, where the gateway had no time to give a reason of its own."""

REASONS = frozenset(_STATUSES) | frozenset(Reason)
OTHER = "OTHER"
"""Stands for any other word: what a peer says makes no label."""


class NodeMetrics:
    """Counters of the node; labels come from closed sets only."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"echoplane_node_{name}", text, labels, registry=registry)

        self._associations = counter(
            "associations_total", "Association requests by outcome (accepted, refused) and reason.", "outcome", "reason"
        )
        self._associations.labels(ACCEPTED, "")
        for reason in REFUSALS:
            self._associations.labels(REFUSED, reason)
        self._stores = counter("stores_total", "C-STORE requests by what was answered.", "answer")
        for answer in ANSWERS:
            self._stores.labels(answer)
        self._received_bytes = counter("received_bytes_total", "Bytes of objects that were kept, again or not.")
        self._stops = counter("stops_total", "Objects that had to wait or failed, by reason.", "reason")
        self.reports_sent = counter("reports_sent_total", "Reports that the archive has taken.")

    def accepted(self) -> None:
        """Count an association."""
        self._associations.labels(ACCEPTED, "").inc()

    def refused(self, reason: str) -> None:
        """Count a peer that gets none."""
        self._associations.labels(REFUSED, reason if reason in REFUSALS else OTHER).inc()

    def stored(self, answer: str, size_bytes: int = 0) -> None:
        """Count a C-STORE, and the bytes of what was kept."""
        self._stores.labels(answer).inc()
        self._received_bytes.inc(size_bytes)

    def stopped(self, reason: str) -> None:
        """Count an object that did not come further: the gateway's reason, or the archive's (STORAGE)."""
        self._stops.labels(reason if reason in REASONS else OTHER).inc()


class InboxCollector(Collector):
    """Reads what is in the inbox when Prometheus asks; gives nothing of it when it cannot be read.

    Args:
        folder: of the inbox.
        clock: seconds since 1970.
        free_bytes: tells how much room the disk of a folder has, bytes.
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.time,
        free_bytes: Callable[[Path], int] = lambda at: shutil.disk_usage(at).free,
    ) -> None:
        self._folder, self._clock, self._free_bytes = folder, clock, free_bytes

    def describe(self) -> list[Metric]:
        """Give the names alone, so that a registry need not read the inbox to know them."""
        return list(_families({}, None, 0.0))

    def collect(self) -> Iterator[Metric]:
        """Give the gauges as they are now."""
        try:
            found = InboxList(self._folder)
            counts, oldest_s = found.counts(), found.waiting_since_s()
        except EchoplaneError:
            return
        age_s = None if oldest_s is None else max(0.0, self._clock() - oldest_s)
        yield from _families(counts, age_s, float(self._free_bytes(self._folder)))


def _families(counts: dict[State, int], age_s: float | None, free_bytes: float) -> Iterator[Metric]:
    objects = GaugeMetricFamily("echoplane_node_objects", "Objects in the inbox by state.", labels=["state"])
    for state, count in counts.items():
        objects.add_metric([state], count)
    yield objects
    yield GaugeMetricFamily(
        "echoplane_node_oldest_waiting_seconds", "Age of the oldest object with something left to do.", age_s or 0.0
    )
    yield GaugeMetricFamily("echoplane_node_disk_free_bytes", "Room on the disk of the inbox.", free_bytes)
