"""A trial's protocol is taken as a whole, or refused with the place that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.acquisition.protocol import TrialProtocol, read_protocol
from services.cine.errors import ConfigError
from services.cine.views import TARGET_VIEWS
from tests.unit.acquisition.studying import PROTOCOL

EXAMPLE = Path(__file__).parents[3] / "deploy" / "trials" / "example.yaml"


def written(folder: Path, text: str) -> Path:
    path = folder / "protocol.yaml"
    path.write_text(text)
    return path


def test_the_example_is_a_protocol_of_all_four_views() -> None:
    protocol = read_protocol(EXAMPLE)
    assert {required.view for required in protocol.required_views} == set(TARGET_VIEWS)
    assert protocol.is_subject_code("S01-123")
    assert set(yaml.safe_load(EXAMPLE.read_text())) == set(TrialProtocol.model_fields)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("trial: EXAMPLE-1", "", "trial: Field required"),
        ("trial: EXAMPLE-1", "trial: Astrid's trial", "trial:"),
        ("trial: EXAMPLE-1", "trial: EXAMPLE-1\nsite: 4", "site:"),
        ("trial: EXAMPLE-1", "trial: EXAMPLE-1\ntrial: EXAMPLE-2", "a key twice"),
        ("S##-###", "", "subject_code:"),
        ("S##-###", "S#.*", "subject_code:"),
        ("S##-###", "#" * 17, "subject_code:"),
        ("[baseline, month-6, month-12]", "[]", "visits:"),
        ("[baseline, month-6, month-12]", "[6, 12]", "visits.0:"),
        ("quiet_time_s: 900", "quiet_time_s: 0", "quiet_time_s:"),
        ("quiet_time_s: 900", "quiet_time_s: .nan", "quiet_time_s:"),
        ("view: PLAX", "view: A4C", "a view twice"),
        ("view: PLAX", "view: OTHER", "required_views.2.view:"),
        ("view: PLAX", "view: A3C", "required_views.2.view:"),
        ("accepted_cines: 1, ", "", "accepted_cines: Field required"),
        ("accepted_cines: 1, ", "accepted_cines: 0, ", "required_views.2.accepted_cines:"),
        ("least_confidence: 0.6", "least_confidence: 60", "required_views.2.least_confidence:"),
        ("{view: PLAX", "{{view: PLAX", "no YAML"),
    ],
)
def test_a_bad_protocol_is_refused_and_the_place_is_named(tmp_path: Path, before: str, after: str, told: str) -> None:
    text = EXAMPLE.read_text()
    assert before in text
    with pytest.raises(ConfigError) as caught:
        read_protocol(written(tmp_path, text.replace(before, after)))
    assert told in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "a word", "\0"])
def test_what_is_no_protocol_at_all_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match="trial's protocol"):
        read_protocol(written(tmp_path, text))


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x80")
    for path in (tmp_path / "none", tmp_path, tmp_path / "bytes"):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_protocol(path)


@given(st.integers(0, 99), st.integers(0, 999))
def test_a_subject_code_of_the_trials_shape_is_one(site: int, subject: int) -> None:
    assert PROTOCOL.is_subject_code(f"S{site:02}-{subject:03}")


@given(st.text("S019-a٠\n", min_size=5, max_size=9) | st.just("S10-019"))
def test_no_other_text_is_a_subject_code(text: str) -> None:
    has_the_shape = (
        len(text) == 7 and text[0] == "S" and text[3] == "-" and set(text[1:3] + text[4:]) <= {*"0123456789"}
    )
    assert PROTOCOL.is_subject_code(text) == has_the_shape


@pytest.mark.parametrize("text", ["", "s01-001", "S01-0012", "S01-001\n", "S٠١-001", "Lundqvist", "195202291234"])
def test_a_name_a_number_or_a_slip_is_no_subject_code(text: str) -> None:
    assert not PROTOCOL.is_subject_code(text)


def test_what_a_mask_has_beside_its_places_stands_for_itself() -> None:
    protocol = PROTOCOL.model_copy(update={"subject_code": "A.@#"})
    assert [text for text in ("A.B1", "AxB1", "A.b1", "A.11") if protocol.is_subject_code(text)] == ["A.B1"]
