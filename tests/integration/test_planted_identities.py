"""Nobody who was sent to the node is found in what it stores, passes on, logs or is answered, by any name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.broken_identities import KINDS
from tests.identities import SYNTAXES
from tests.integration.planting import Outcome, run

OBJECTS = 33
"""Over so many in a row every attribute of the profile's table has an identity."""

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # pydicom's, about what is planted
    pytest.mark.timeout(400),
]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return run(tmp_path_factory.mktemp("planted"), OBJECTS, len(KINDS))


def test_nothing_of_anybody_is_left_anywhere(outcome: Outcome) -> None:
    assert outcome.left == {}
    assert outcome.searched_bytes > OBJECTS * 2**16


def test_no_text_shows_in_what_is_kept_or_passed_on(outcome: Outcome) -> None:
    assert outcome.seen == []


def test_every_object_is_kept_and_passed_on_and_reported(outcome: Outcome) -> None:
    for syntax in SYNTAXES:
        assert (
            outcome.passed_on[f"objects {syntax}"] == outcome.passed_on[f"archive {syntax}"] == OBJECTS / len(SYNTAXES)
        )
    assert outcome.passed_on["reports"] >= OBJECTS


def test_what_cannot_be_read_or_cleaned_fails_for_a_reason(outcome: Outcome) -> None:
    assert {"HEADER_DAMAGED", "IDENTITY_REMAINS", "PIXELS_MISSING"} <= set(outcome.failed)


def test_what_is_kept_with_its_identity_would_be_found(tmp_path: Path) -> None:
    assert run(tmp_path, 1, 0, {"IDENTITY": "kept"}).left[".dcm: PatientName"] > 0
