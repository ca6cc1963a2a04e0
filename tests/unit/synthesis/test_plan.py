"""Laws of the balance plan."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cine.views import TARGET_VIEWS, View
from services.models.echo_synthesizer import ANY_STYLE
from services.synthesis.plan import (
    SEED_BITS,
    Cell,
    ImageFormat,
    Order,
    count_missing,
    count_per_view,
    next_attempt,
    order_of,
    plan,
    seed_of,
    shards,
)

STYLES = ("crisp", "soft", "tape")
CELLS = st.builds(Cell, st.sampled_from(TARGET_VIEWS), st.sampled_from((*STYLES, ANY_STYLE)))
COUNTS = st.dictionaries(CELLS, st.integers(0, 40), min_size=1, max_size=10)
SEEDS = st.integers(0, 2**SEED_BITS - 1)


@given(COUNTS, SEEDS)
def test_a_plan_makes_exactly_what_is_ordered_in_places_from_0(counts: dict[Cell, int], seed: int) -> None:
    units = plan(order_of(counts, seed))
    assert Counter(unit.cell for unit in units) == Counter({cell: n for cell, n in counts.items() if n})
    assert [unit.index for unit in units] == list(range(sum(counts.values())))
    assert len({unit.seed for unit in units}) == len(units)
    assert all(0 <= unit.seed < 2**SEED_BITS for unit in units)


@given(COUNTS, SEEDS)
def test_any_first_part_is_as_balanced_as_the_whole(counts: dict[Cell, int], seed: int) -> None:
    order = order_of(counts, seed)
    seen: Counter[Cell] = Counter()
    for made, unit in enumerate(plan(order), start=1):
        seen[unit.cell] += 1
        for cell, count in order.counts:
            assert abs(seen[cell] - count * made / order.total) <= 1.0 + len(order.counts) / 2


@given(COUNTS, SEEDS, st.integers(1, 3))
def test_a_larger_batch_begins_with_the_images_of_a_smaller_one(counts: dict[Cell, int], seed: int, times: int) -> None:
    def images(factor: int) -> set[tuple[Cell, int, int]]:
        larger = {cell: count * factor for cell, count in counts.items()}
        return {(unit.cell, unit.number, unit.seed) for unit in plan(order_of(larger, seed))}

    assert images(1) <= images(times)


@given(COUNTS, SEEDS)
def test_an_image_does_not_depend_on_the_cells_beside_it(counts: dict[Cell, int], seed: int) -> None:
    together = {(unit.cell, unit.number): unit.seed for unit in plan(order_of(counts, seed))}
    for cell, count in counts.items():
        for unit in plan(order_of({cell: count}, seed)):
            assert together[cell, unit.number] == unit.seed


@given(st.integers(1, 200), st.lists(st.sampled_from(STYLES), unique=True))
def test_every_view_gets_the_same_and_styles_differ_by_one_at_most(per_view: int, styles: list[str]) -> None:
    counts = count_per_view(per_view, styles)
    for view in TARGET_VIEWS:
        of_view = [count for cell, count in counts.items() if cell.view is view]
        assert sum(of_view) == per_view
        assert max(of_view) - min(of_view) <= 1


@given(COUNTS)
def test_what_is_missing_brings_a_set_to_balance_and_takes_nothing_away(existing: dict[Cell, int]) -> None:
    missing = count_missing(existing)
    whole = {cell: count + existing.get(cell, 0) for cell, count in missing.items()}
    assert len(set(whole.values())) == 1
    assert {cell.view for cell in whole} == set(TARGET_VIEWS)
    assert min(missing.values()) == 0
    assert count_missing(whole) == dict.fromkeys(whole, 0)


def test_a_set_without_styles_is_balanced_over_views() -> None:
    assert count_missing({Cell(View.A4C): 37, Cell(View.PLAX): 47, Cell(View.PSAX): 7}) == {
        Cell(View.A2C): 47,
        Cell(View.A4C): 10,
        Cell(View.PLAX): 0,
        Cell(View.PSAX): 40,
    }


@given(COUNTS, SEEDS, st.integers(1, 50))
def test_shards_part_a_batch_and_do_not_move_when_some_is_already_there(
    counts: dict[Cell, int], seed: int, size: int
) -> None:
    units = plan(order_of(counts, seed))
    cut = shards(units, size)
    assert [unit for shard in cut for unit in shard.units] == units
    assert all(len(shard.units) <= size for shard in cut)
    home = {unit: shard.number for shard in cut for unit in shard.units}
    assert all(home[unit] == shard.number for shard in shards(units[1::3], size) for unit in shard.units)


def test_a_seed_can_be_worked_out_anywhere() -> None:
    digest = hashlib.sha256(b"7/PLAX/tape/11/2").hexdigest()
    assert seed_of(7, Cell(View.PLAX, "tape"), 11, 2) == int(digest[:14], 16) >> 3
    assert seed_of(0, Cell(View.A2C), 0) == 5_951_339_637_283_339


def test_the_next_attempt_is_the_same_image_of_the_plan_with_another_seed() -> None:
    (unit,) = plan(order_of({Cell(View.A2C): 1}, 3))
    again = next_attempt(next_attempt(unit, 3), 3)
    assert (again.index, again.cell, again.number, again.attempt) == (0, unit.cell, 0, 2)
    assert again.seed == seed_of(3, unit.cell, 0, 2) != unit.seed


@given(COUNTS, SEEDS, st.sampled_from(ImageFormat))
def test_an_order_survives_being_written_down(counts: dict[Cell, int], seed: int, image_format: ImageFormat) -> None:
    order = order_of(counts, seed, image_format)
    assert Order.from_json(order.to_json()) == order


@pytest.mark.parametrize("total", [0, 1, 9])
def test_an_orders_total_is_its_counts(total: int) -> None:
    assert order_of({Cell(View.A2C): total, Cell(View.A4C): 0}, 0).total == total
