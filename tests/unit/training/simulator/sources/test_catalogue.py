"""Source files are complete and plausible, and a wrong one is refused by file and field."""

from dataclasses import Field, fields
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.cine.errors import ConfigError
from training.simulator.sources.catalogue import catalogue, mix, read_folder, read_source
from training.simulator.sources.limits import LIMITS, check
from training.simulator.sources.recipes import ScannerRecipe, Source

WRONG = {
    # What is replaced in a good file, by what, and what the error then says beside the file's name.
    "unknown field": ("  start_mm:", "  begin_mm:", "begin_mm"),
    "missing field": ("  gamma: [1.1, 1.4]\n", "", "scanner.gamma"),
    "limits reversed": ("gamma: [1.1, 1.4]", "gamma: [1.4, 1.1]", "scanner.gamma"),
    "limits reversed in a list": ("tgc_error_db: [[-5, 3]", "tgc_error_db: [[5, -3]", "scanner.tgc_error_db"),
    "beyond what a scanner can": ("gamma: [1.1, 1.4]", "gamma: [1.1, 9.0]", "scanner.gamma"),
    "not a number": ("gamma: [1.1, 1.4]", "gamma: [1.1, .nan]", "scanner.gamma"),
    "a word for a number": ("gamma: [1.1, 1.4]", "gamma: [1.1, high]", "scanner.gamma"),
    "one limit": ("gamma: [1.1, 1.4]", "gamma: [1.1]", "scanner.gamma"),
    "a chance above one": ("flip_chance: 0.05", "flip_chance: 1.5", "sector.flip_chance"),
    "no canvas": ("canvases: [[1024, 768], [800, 600]]", "canvases: []", "sector.canvases"),
    "two channels": ("channels: 3", "channels: 2", "sector.channels"),
    "an unknown codec": ("codecs: [jpeg, mjpeg]", "codecs: [betamax]", "export.codecs"),
    "no YAML": ("number: 0", "number: [0", "lvh.yaml"),
}


def text_of(name: str) -> str:
    return (resources.files("training.simulator") / "sources" / f"{name}.yaml").read_text()


def test_there_are_sources_enough_in_families_enough() -> None:
    families = [source.family for source in catalogue().values()]
    assert len(families) >= 12
    assert sum(families.count(family) >= 2 for family in set(families)) >= 4


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_source_holds_its_limits(name: str) -> None:
    check(catalogue()[name], name)
    assert len(catalogue()[name].look) > 20


def test_limits_are_those_of_fields() -> None:
    known = {field.name for part in fields(Source) for field in fields_of(part.name)}
    assert set(LIMITS) <= known
    assert {field.name for field in fields(ScannerRecipe) if not field.name.endswith("chance")} <= {*LIMITS}


def fields_of(part: str) -> tuple[Field[Any], ...]:
    value = getattr(catalogue()["lvh"], part)
    return fields(value) if part in ("sector", "scanner", "overlays", "export") else ()


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_file_is_refused_by_file_and_field(wrong: str, tmp_path: Path) -> None:
    there, instead, named = WRONG[wrong]
    good, path = text_of("lvh"), tmp_path / "lvh.yaml"
    assert there in good
    path.write_text(good.replace(there, instead, 1))
    with pytest.raises(ConfigError) as caught:
        read_source(path)
    assert "lvh.yaml" in str(caught.value)
    assert named in str(caught.value)


def test_a_number_given_twice_is_refused(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / f"{name}.yaml").write_text(text_of("lvh"))
    with pytest.raises(ConfigError, match=r"first\.yaml and second\.yaml"):
        read_folder(tmp_path)


def test_a_new_file_moves_no_other(tmp_path: Path) -> None:
    for name in ("unity", "lvh"):
        (tmp_path / f"{name}.yaml").write_text(text_of(name))
    before = tuple(read_folder(tmp_path))
    (tmp_path / "aaa.yaml").write_text(text_of("lvh").replace("number: 0", "number: 77"))
    assert tuple(read_folder(tmp_path)) == (*before, "aaa")


def test_a_mixed_source_is_within_limits_and_like_none() -> None:
    sources = tuple(catalogue().values())
    families = set()
    for seed in range(40):
        mixed = mix(sources, np.random.default_rng(seed))
        check(mixed, "mixed")
        families.add(mixed.family)
        assert mixed.scanner not in [source.scanner for source in sources]
    assert len(families) > 2
