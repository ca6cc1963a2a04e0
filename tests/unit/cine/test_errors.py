"""Every error says what was found, what was expected and what to do, for a reason from the closed set."""

from __future__ import annotations

import re
from typing import Any

import pytest

from services.cine import errors

PARTS: dict[str, Any] = {"found": "a pear", "expected": "an apple", "advice": "Try again."}


def subclasses(kind: type[errors.EchoplaneError]) -> list[type[errors.EchoplaneError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in subclasses(child))]


@pytest.mark.parametrize("kind", subclasses(errors.EchoplaneError))
def test_every_class_stands_in_the_tree_at_the_top_of_the_file(kind: type[errors.EchoplaneError]) -> None:
    assert re.search(rf"\b{kind.__name__}\b", str(errors.__doc__))


@pytest.mark.parametrize("reason", errors.Reason)
def test_reasons_fit_into_error_info(reason: errors.Reason) -> None:
    assert re.fullmatch(r"[A-Z][A-Z0-9_]{1,61}[A-Z0-9]", reason)


@pytest.mark.parametrize("kind", [errors.CapacityError, errors.DeadlineError, errors.ConfigError])
def test_message_has_found_expected_and_advice(kind: type[errors.CapacityError]) -> None:
    assert str(kind(**PARTS)) == "Found a pear; expected an apple. Try again."


def test_only_what_time_may_heal_is_retryable() -> None:
    retryable = {kind.__name__ for kind in subclasses(errors.EchoplaneError) if kind.retryable}
    assert retryable == {"CapacityError", "ReaderUnavailableError", "ModelUnavailableError", "StorageError"}
