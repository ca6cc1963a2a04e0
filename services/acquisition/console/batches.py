"""A synthetic batch for the page: asked of the gateway, passed on image by image as lines of JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from echoplane.v1 import synthesis_pb2

from services.acquisition.console.link import Link
from services.acquisition.console.shown import show_trouble, show_view
from services.acquisition.console.words import NO_GENERATOR, Trouble, trouble
from services.cine.views import TARGET_VIEWS
from services.client import CallError

MOST_OF_A_VIEW = 64
"""Images of each view that the page asks for at once; more are a job."""

MOST_SEED = 2**53 - 1


def read_wish(values: Mapping[str, Any]) -> synthesis_pb2.GenerateBatchRequest:
    """Make a request of what the page sent.

    Args:
        values: `counts` (how many of each view, by its name) and `seed`.

    Raises:
        ValueError: it is something else.
    """
    counts, seed = values.get("counts"), values.get("seed")
    if not isinstance(counts, dict) or not _is_whole(seed, MOST_SEED):
        raise ValueError("counts and a seed")
    wishes = []
    for name, count in counts.items():
        if name not in TARGET_VIEWS or not _is_whole(count, MOST_OF_A_VIEW):
            raise ValueError("a count of a view")
        if count:
            wishes.append(synthesis_pb2.ViewCount(view=f"VIEW_{name}", count=count))
    if not wishes:
        raise ValueError("at least one image")
    return synthesis_pb2.GenerateBatchRequest(counts=wishes, seed=seed, format=synthesis_pb2.IMAGE_FORMAT_PNG)


async def batch_lines(link: Link, wish: synthesis_pb2.GenerateBatchRequest) -> AsyncIterator[str]:
    """Have a batch made, and give a line an image; the last line says what went wrong, if anything did."""
    try:
        async with link.client() as client:
            async for made in client.generate_batch(wish):
                yield json.dumps(_shown(made)) + "\n"
    except CallError as error:
        said = Trouble(error.code, NO_GENERATOR) if error.code == "UNIMPLEMENTED" else trouble(error)
        yield json.dumps({"trouble": show_trouble(said)}) + "\n"


def _shown(made: synthesis_pb2.GenerateBatchResponse) -> dict[str, Any]:
    return {
        "index": made.index,
        "total": made.total,
        "view": show_view(made.view),
        "png": base64.b64encode(made.image).decode(),
        "is_checked": made.copy_check == synthesis_pb2.COPY_CHECK_PASSED,
        "trained_on": made.model.trained_on,
    }


def _is_whole(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
