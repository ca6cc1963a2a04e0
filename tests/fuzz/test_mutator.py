"""The mutator keeps its laws: parts written again are the file, a case is the same every time, and it is damaged."""

from __future__ import annotations

from random import Random

import pytest

from services.cine.errors import InputError
from services.cine.intake import IntakeOptions, take_in
from tests.fuzz.mutator import BYTE_CHANGES, MOST_BYTES, PART_CHANGES, ByteChange, PartChange, damaged_file, mutant
from tests.fuzz.parts import divide
from tests.fuzz.requests import damaged_request, upload
from tests.fuzz.seeds import NAMES, grammar_of, seed_bytes


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_read(name: str) -> None:
    assert take_in(seed_bytes(name), IntakeOptions()).cine.rows == 48


@pytest.mark.parametrize("name", NAMES)
def test_the_parts_of_a_seed_written_again_are_the_seed(name: str) -> None:
    whole = divide(seed_bytes(name), grammar_of(name))
    assert whole.write() == seed_bytes(name)
    assert sum(1 for _ in whole.walk()) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_damage_is_different_each_time_and_the_same_for_the_same_number(name: str) -> None:
    damaged = [damaged_file(name, Random(number)) for number in range(40)]
    assert damaged == [damaged_file(name, Random(number)) for number in range(40)]
    assert len(set(damaged)) > 30
    assert max(map(len, damaged)) <= MOST_BYTES


@pytest.mark.parametrize("change", PART_CHANGES)
def test_every_change_of_parts_changes_some_seed(change: PartChange) -> None:
    def changed(name: str, number: int) -> bool:
        whole, rng = divide(seed_bytes(name), grammar_of(name)), Random(number)
        change(*rng.choice(list(whole.walk())), rng)
        return whole.write() != seed_bytes(name)

    assert any(changed(name, number) for name in NAMES[::4] for number in range(5))


@pytest.mark.parametrize("change", BYTE_CHANGES)
def test_every_change_of_bytes_changes_some_seed(change: ByteChange) -> None:
    for number in range(20):
        data = bytearray(seed_bytes("GIF"))
        change(data, Random(number))
        if data != seed_bytes("GIF"):
            return
    pytest.fail("it changes nothing")


def test_a_damaged_request_differs_from_the_sound_one() -> None:
    data = seed_bytes("PNG")
    streams = [damaged_request(data, Random(number)) for number in range(60)]
    assert sum(stream != upload(data) for stream in streams) > 50


def test_most_cases_damage_a_file_and_some_the_request() -> None:
    cases = [mutant(3, index) for index in range(300)]
    requests = [case for case in cases if case.name.startswith("request")]
    assert 15 < len(requests) < 90
    assert {case.name for case in cases} >= set(NAMES)


def test_damage_reaches_the_decoders() -> None:
    """A mutator whose files are all refused at their first bytes tests nothing behind them."""
    read = 0
    for number in range(200):
        try:
            read += bool(take_in(damaged_file("JPEG DICOM", Random(number)), IntakeOptions()).cine.rows)
        except InputError:
            continue
    assert 30 < read < 170
