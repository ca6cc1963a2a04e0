"""Every metric of the gateway, on a registry it is given."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.models.repository import ModelIdentity
from services.runtime.sandbox import OUTCOMES
from services.synthesis.generate import Made

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)


class GatewayMetrics:
    """Counters and histograms of the gateway; labels come from closed sets only."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"echoplane_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"echoplane_{name}", text, labels, buckets=buckets, registry=registry)

        self.requests = counter(
            "requests_total",
            "Requests by outcome (accepted, rejected, error) and reason.",
            "method",
            "outcome",
            "reason",
        )
        self.request_duration = histogram("request_duration_seconds", "From first byte to answer.", _SECONDS, "method")
        self.stage_duration = histogram("stage_duration_seconds", "Time of each stage of a cine.", _SECONDS, "stage")
        self.predictions = counter(
            "predictions_total", "Answers by view (NONE: abstained) and verdict.", "view", "verdict"
        )
        self.findings = counter("findings_total", "What validation saw.", "code")
        self.confidence = histogram("confidence_ratio", "Calibrated confidence of answers.", _SHARES, "view")
        self.received_bytes = counter("received_bytes_total", "Bytes of cines received.")
        self.queue_depth = Gauge(
            "echoplane_queue_depth_requests", "Requests that wait or arrive.", ["method"], registry=registry
        )
        self.sandbox_exits = counter("sandbox_exits_total", "How the process of a cine ended.", "outcome")
        for outcome in OUTCOMES:
            self.sandbox_exits.labels(outcome)
        self.synthetic_images = counter("synthetic_images_total", "Images made by view.", "view")
        self.synthetic_copies = counter(
            "synthetic_copies_total", "Images thrown away because they were copies of training images.", "view"
        )
        self._model_info = Gauge(
            "echoplane_model_info",
            "1 for the model that answers.",
            ["model", "version", "sha256", "backend", "trained_on"],
            registry=registry,
        )

    def name_models(self, *identities: ModelIdentity) -> None:
        """Publish which weights answer, and no others."""
        self._model_info.clear()
        for identity in identities:
            self._model_info.labels(
                identity.name, identity.version, identity.sha256, identity.backend, identity.trained_on
            ).set(1)

    def count_images(self, batch: Iterable[Made]) -> None:
        """Count synthetic images, and the copies that they stand in for."""
        for made in batch:
            view = made.unit.cell.view
            self.synthetic_images.labels(view).inc()
            self.synthetic_copies.labels(view).inc(made.unit.attempt)
