"""Why an image is a copy stays with the server; an index that belongs to nothing is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.cine.errors import ModelContractError, StorageError
from services.cine.views import View
from services.models.echo_synthesizer import Draw
from services.synthesis.copies import CopyCheck, CopyFiles, PrivateRecord, open_copy_check
from services.synthesis.generate import Studio
from services.synthesis.plan import count_per_view, order_of
from tests.unit.synthesis.making import IDENTITY, Painter, Reason, Suspicious, Verdict, made_of


async def test_every_image_is_written_down_with_its_reason_for_the_owner_alone(tmp_path: Path) -> None:
    path, order = tmp_path / "record.jsonl", order_of(count_per_view(6), 1)
    by = Studio(Painter(), CopyCheck(Suspicious(), "i", IDENTITY.sha256, PrivateRecord(path).keep), None, 5.0)
    made = await made_of(order, by)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(lines) == order.total + sum(each.unit.attempt for each in made)
    assert {line["seed"] for line in lines if not line["is_copy"]} == {each.unit.seed for each in made}
    for line in lines:
        assert set(line) == {"view", "style", "seed", "is_copy", "brightness"}
        assert line["is_copy"] == (line["brightness"] > 0.3)


def test_a_record_that_cannot_be_written_is_an_error_of_the_place(tmp_path: Path) -> None:
    record = PrivateRecord(tmp_path / "no folder" / "record.jsonl")
    with pytest.raises(StorageError, match="record"):
        record.keep([Draw(View.A2C, "any", 1)], [Verdict(False, Reason(0.0))])


async def test_weights_that_were_replaced_are_not_held_against_the_index_of_others() -> None:
    by = Studio(Painter(), CopyCheck(Suspicious(), "i", "cd" * 32), None, 5.0)
    with pytest.raises(ModelContractError, match="copy index"):
        await made_of(order_of(count_per_view(1), 1), by)


def test_a_generator_without_an_index_has_no_filter(tmp_path: Path) -> None:
    assert open_copy_check(CopyFiles(), tmp_path, "ab" * 32) is None
