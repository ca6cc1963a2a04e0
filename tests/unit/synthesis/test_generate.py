"""Images come as they are made, the same in every batching; copies are replaced; stopping stops."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from services.cine.errors import ModelContractError, ModelTimeoutError
from services.cine.views import TARGET_VIEWS, View
from services.models.echo_synthesizer import BATCH
from services.synthesis.generate import MOST_ATTEMPTS
from services.synthesis.plan import Cell, count_per_view, order_of, plan, seed_of
from tests.unit.synthesis.making import PNG, STYLES, Painter, Suspicious, made_of, studio

ORDER = order_of(count_per_view(9, STYLES), 5)


async def test_every_unit_is_made_once() -> None:
    made = await made_of(ORDER, studio())
    assert [each.unit for each in made] == plan(ORDER)
    assert len({each.artefact.data for each in made}) == ORDER.total


@pytest.mark.parametrize("copy_filter", [None, Suspicious()], ids=["all", "filtered"])
async def test_the_bytes_do_not_depend_on_the_batching(copy_filter: Suspicious | None) -> None:
    whole = {each.unit.index: each for each in await made_of(ORDER, studio(copy_filter=copy_filter))}
    units = plan(ORDER)
    for part in (units[::-1], units[3:20], units[:1], units[1::2]):
        for each in await made_of(ORDER, studio(copy_filter=copy_filter), part):
            assert each == whole[each.unit.index]


async def test_copies_are_replaced_by_the_next_seed_of_their_unit_and_counted() -> None:
    suspicious = Suspicious()
    made = await made_of(ORDER, studio(copy_filter=suspicious))
    assert [each.unit.index for each in made] == list(range(ORDER.total))
    assert sum(each.unit.attempt for each in made) > 3
    for each in made:
        unit = each.unit
        assert unit.seed == seed_of(ORDER.seed, unit.cell, unit.number, unit.attempt)
    cells = {(TARGET_VIEWS.index(cell.view), STYLES.index(cell.style)) for cell, _ in ORDER.counts}
    assert set(suspicious.asked) == cells


async def test_a_model_of_nothing_but_copies_is_refused_after_so_many() -> None:
    order = order_of({Cell(View.A2C): 1}, 0)
    suspicious = Suspicious(above=-2.0)
    painter = Painter()
    with pytest.raises(ModelContractError, match="copies"):
        await made_of(order, studio(painter, suspicious))
    assert painter.calls == MOST_ATTEMPTS + 1


async def test_images_come_before_the_last_is_made_and_one_inference_runs_ahead() -> None:
    painter = Painter()
    order = order_of(count_per_view(5 * BATCH), 1)
    async with aclosing(studio(painter).make(plan(order), order.seed, PNG)) as batches:
        first = await anext(batches)
        assert [made.unit.index for made in first] == list(range(BATCH))
        assert painter.calls == 2


async def test_closing_stops_within_the_inference_that_runs() -> None:
    painter = Painter(pause_s=0.01)
    order = order_of(count_per_view(100), 1)
    async with aclosing(studio(painter).make(plan(order), order.seed, PNG)) as batches:
        await anext(batches)
    calls = painter.calls
    assert painter.running == 0
    await asyncio.sleep(0.05)
    assert painter.calls == calls <= 2


async def test_a_model_that_fails_ends_the_batch_with_its_error() -> None:
    def fail(number: int) -> None:
        if number == 2:
            raise ModelTimeoutError(found="no answer", expected="one", advice="Wait.")

    with pytest.raises(ModelTimeoutError):
        await made_of(ORDER, studio(Painter(before=fail)))


async def test_an_empty_order_makes_nothing() -> None:
    painter = Painter()
    assert await made_of(order_of({}, 0), studio(painter)) == []
    assert painter.calls == 0
