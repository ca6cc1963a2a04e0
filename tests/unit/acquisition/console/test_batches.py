"""A synthetic batch: what may be asked for, and what the page is told."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from echoplane.v1 import synthesis_pb2

from services.acquisition.console.batches import MOST_OF_A_VIEW, MOST_SEED, batch_lines, read_wish
from services.acquisition.console.words import NO_GENERATOR
from services.client import CallError
from tests.unit.acquisition.console.linking import Answers, LinkedTo

WISH = {"counts": {"A2C": 2, "PSAX": 0}, "seed": 7}


async def lines_of(answers: Answers) -> list[dict[str, Any]]:
    return [json.loads(line) async for line in batch_lines(LinkedTo(answers), read_wish(WISH))]


def test_a_wish_is_counts_of_views_and_a_seed() -> None:
    count = synthesis_pb2.ViewCount(view="VIEW_A2C", count=2)
    png = synthesis_pb2.IMAGE_FORMAT_PNG
    assert read_wish(WISH) == synthesis_pb2.GenerateBatchRequest(counts=[count], seed=7, format=png)


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"counts": [], "seed": 1},
        {"counts": {"A2C": 0}, "seed": 1},
        {"counts": {"A9C": 1}, "seed": 1},
        {"counts": {"UNSPECIFIED": 1}, "seed": 1},
        {"counts": {"OTHER": 1}, "seed": 1},
        {"counts": {"A2C": MOST_OF_A_VIEW + 1}, "seed": 1},
        {"counts": {"A2C": 1.5}, "seed": 1},
        {"counts": {"A2C": True}, "seed": 1},
        {"counts": {"A2C": 1}, "seed": -1},
        {"counts": {"A2C": 1}, "seed": MOST_SEED + 1},
        {"counts": {"A2C": 1}, "seed": "1"},
    ],
)
def test_anything_else_is_refused(wish: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a"):
        read_wish(wish)


async def test_each_image_is_a_line_with_its_view() -> None:
    made = synthesis_pb2.GenerateBatchResponse(
        index=1, total=2, view="VIEW_A2C", image=b"png", copy_check="COPY_CHECK_PASSED"
    )
    line = (await lines_of(Answers(images=[made])))[0]
    assert base64.b64decode(line.pop("png")) == b"png"
    assert line == {"index": 1, "total": 2, "view": "A2C", "is_checked": True, "trained_on": ""}


async def test_where_there_is_no_generator_the_page_says_so() -> None:
    lines = await lines_of(Answers(images=CallError("UNIMPLEMENTED", "", "", None)))
    assert [line["trouble"]["words"] for line in lines] == [NO_GENERATOR]


async def test_other_trouble_is_told_in_words() -> None:
    lines = await lines_of(Answers(images=CallError("RESOURCE_EXHAUSTED", "QUOTA", "", 60.0)))
    assert [line["trouble"]["reason"] for line in lines] == ["QUOTA"]
