"""Names, units and closed labels of the metrics."""

from __future__ import annotations

import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.gateway.metrics import GatewayMetrics
from services.models.repository import ModelIdentity
from services.runtime.sandbox import OUTCOMES

LABELS = {
    "method",
    "outcome",
    "reason",
    "stage",
    "view",
    "verdict",
    "code",
    "model",
    "version",
    "sha256",
    "backend",
    "trained_on",
}


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    GatewayMetrics(registry).name_models(ModelIdentity("view_classifier", "3", "cd" * 32, "triton", "simulated", 0.5))
    return registry


def test_names_have_our_prefix_and_a_unit(registry: CollectorRegistry) -> None:
    for family in registry.collect():
        assert re.fullmatch(r"echoplane_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_ratio"))


def test_labels_come_from_a_closed_set(registry: CollectorRegistry) -> None:
    for family in registry.collect():
        for sample in family.samples:
            assert set(sample.labels) <= LABELS | {"le"}


def test_every_end_of_a_sandbox_is_there_from_the_start(registry: CollectorRegistry) -> None:
    for outcome in OUTCOMES:
        assert registry.get_sample_value("echoplane_sandbox_exits_total", {"outcome": outcome}) == 0


def test_the_model_that_answers_is_named(registry: CollectorRegistry) -> None:
    assert b'sha256="' + b"cd" * 32 + b'"' in generate_latest(registry)


def test_two_gateways_do_not_share_their_counts() -> None:
    first, second = CollectorRegistry(), CollectorRegistry()
    GatewayMetrics(first).received_bytes.inc(5)
    GatewayMetrics(second)
    assert second.get_sample_value("echoplane_received_bytes_total") == 0
