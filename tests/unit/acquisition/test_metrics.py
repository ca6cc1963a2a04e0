"""Names, units and closed labels of the node's metrics, and what they say of an inbox."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from services.acquisition.inbox import LIST, Entry, Inbox, InboxLimits, State
from services.acquisition.metrics import ANSWERS, OTHER, REFUSALS, InboxCollector, NodeMetrics
from services.cine.errors import Reason

NOW_S = 1_700_000_000.0
LABELS = {"outcome", "reason", "answer", "state"}


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with closing(Inbox(tmp_path, InboxLimits(least_free_bytes=0))) as opened:
        yield opened


@pytest.fixture
def registry(inbox: Inbox, tmp_path: Path) -> CollectorRegistry:
    registry = CollectorRegistry()
    NodeMetrics(registry)
    registry.register(InboxCollector(tmp_path, lambda: NOW_S, lambda at: 12_345))
    return registry


def keep(inbox: Inbox, number: int, received_s: float) -> Entry:
    part = inbox.incoming / "part"
    part.write_bytes(str(number).encode())
    return inbox.keep(part, f"1.2.{number}", "", received_s)


def test_names_have_our_prefix_and_a_unit(registry: CollectorRegistry) -> None:
    for family in registry.collect():
        assert re.fullmatch(r"echoplane_node_[a-z_]+", family.name)
        assert family.documentation.endswith(".")
        if family.type == "gauge":
            assert family.name.endswith(("_objects", "_seconds", "_bytes"))
        assert all(set(sample.labels) <= LABELS for sample in family.samples)


def test_what_a_peer_or_the_gateway_says_makes_no_label(registry: CollectorRegistry) -> None:
    metrics = NodeMetrics(told := CollectorRegistry())
    metrics.refused("Planted^Name")
    metrics.stopped("Planted^Name")
    metrics.stopped(Reason.STORAGE)
    metrics.stopped("UNAVAILABLE")
    assert told.get_sample_value("echoplane_node_associations_total", {"outcome": "refused", "reason": OTHER}) == 1
    reasons = [
        sample.labels["reason"] for family in told.collect() if "stops" in family.name for sample in family.samples
    ]
    assert set(reasons) == {OTHER, "STORAGE", "UNAVAILABLE"}
    assert b"Planted" not in generate_latest(told)


def test_every_refusal_and_every_answer_is_there_from_the_start(registry: CollectorRegistry) -> None:
    for reason in REFUSALS:
        labels = {"outcome": "refused", "reason": reason}
        assert registry.get_sample_value("echoplane_node_associations_total", labels) == 0
    for answer in ANSWERS:
        assert registry.get_sample_value("echoplane_node_stores_total", {"answer": answer}) == 0


def test_the_inbox_is_told_as_it_is_now(registry: CollectorRegistry, inbox: Inbox) -> None:
    assert registry.get_sample_value("echoplane_node_oldest_waiting_seconds") == 0
    first = keep(inbox, 1, NOW_S - 90)
    keep(inbox, 2, NOW_S - 30)
    assert registry.get_sample_value("echoplane_node_objects", {"state": "RECEIVED"}) == 2
    assert registry.get_sample_value("echoplane_node_oldest_waiting_seconds") == 90
    inbox.failed(first, "HEADER_DAMAGED", NOW_S)
    assert registry.get_sample_value("echoplane_node_oldest_waiting_seconds") == 30
    assert {state: registry.get_sample_value("echoplane_node_objects", {"state": state}) for state in State} == (
        dict.fromkeys(State, 0) | {State.RECEIVED: 1, State.FAILED: 1}
    )
    assert registry.get_sample_value("echoplane_node_disk_free_bytes") == 12_345


def test_an_inbox_that_cannot_be_read_leaves_the_counters(registry: CollectorRegistry, tmp_path: Path) -> None:
    (tmp_path / LIST).write_bytes(b"no database" * 1_000)
    said = generate_latest(registry)
    assert b"echoplane_node_stores_total" in said
    assert b"echoplane_node_objects{" not in said
