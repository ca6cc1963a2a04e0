"""When a call is made again: where its contract allows that, after a pause that grows, never past its deadline."""

from __future__ import annotations

import grpc
import pytest

from services.retries import Retry, Tries


class Clock:
    """Stands still until a pause is taken."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def pauses(tries: Tries, clock: Clock, code: str, retry_after_s: float | None = None) -> list[float]:
    """Fail with one status until there is no other try."""
    taken: list[float] = []
    while (pause_s := tries.pause_s(code, retry_after_s)) is not None:
        taken.append(pause_s)
        clock.now_s += pause_s
    return taken


@pytest.mark.parametrize("code", sorted(set(grpc.StatusCode) - {grpc.StatusCode.UNAVAILABLE}, key=str))
def test_no_other_status_is_retried(code: grpc.StatusCode) -> None:
    assert Tries(Retry(), 60.0).pause_s(code.name, None) is None


def test_an_answer_that_says_when_is_heard_of_a_full_queue_alone() -> None:
    assert Tries(Retry(), 60.0).pause_s("INVALID_ARGUMENT", 1.0) is None
    assert Tries(Retry(), 60.0).pause_s("RESOURCE_EXHAUSTED", 1.0) is not None


def test_pauses_grow_and_differ_up_to_a_longest() -> None:
    clock, retry = Clock(), Retry(away_s=1000.0)
    taken = pauses(Tries(retry, None, clock), clock, "UNAVAILABLE")
    for count, pause_s in enumerate(taken):
        least_s = min(retry.longest_pause_s, retry.first_pause_s * 2**count)
        assert least_s <= pause_s <= 1.5 * least_s
    assert len(set(taken)) == len(taken) > 100


def test_a_full_queue_is_waited_for_as_long_as_it_says() -> None:
    clock = Clock()
    assert min(pauses(Tries(Retry(), 300.0, clock), clock, "RESOURCE_EXHAUSTED", 7.0)) >= 7.0


@pytest.mark.parametrize("status", [("UNAVAILABLE", None), ("RESOURCE_EXHAUSTED", 2.0)])
def test_no_pause_goes_past_the_deadline(status: tuple[str, float | None]) -> None:
    clock = Clock()
    tries = Tries(Retry(away_s=1000.0), 20.0, clock)
    assert 10.0 < sum(pauses(tries, clock, *status)) <= 20.0
    assert tries.left_s == pytest.approx(120.0 - clock.now_s)
    assert tries.pause_s("RESOURCE_EXHAUSTED", 3600.0) is None


def test_a_gateway_may_be_away_so_long_in_a_row() -> None:
    clock = Clock()
    tries = Tries(Retry(away_s=30.0), None, clock)
    for _ in range(3):
        assert 15.0 < sum(pauses(tries, clock, "UNAVAILABLE")) <= 30.0
        tries.went_well()


def test_whoever_wants_none_gets_none() -> None:
    assert Tries(None, 60.0).pause_s("UNAVAILABLE", None) is None
