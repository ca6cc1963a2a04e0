"""An experiment is one complete file: what is unknown, missing or of the wrong kind is refused by its place."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.cine.errors import ConfigError
from training.classifier.config import ClassifierConfig, load_preset, preset_names
from training.configuration import build_config, load_config, to_plain
from training.loop import Device


def plain_smoke() -> dict[str, Any]:
    values = to_plain(load_preset("smoke"))
    assert isinstance(values, dict)
    return values


def test_every_preset_reads_and_survives_a_round_trip(tmp_path: Path) -> None:
    assert preset_names() == ("cpu", "cpu_long", "gpu", "small", "smoke")
    for name in preset_names():
        config = load_preset(name)
        assert config.recipe == name
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(to_plain(config)))
        assert load_config(path, ClassifierConfig) == config


def test_unknown_key_is_refused_by_its_place() -> None:
    values = plain_smoke()
    values["loop"]["learning_speed"] = 1.0
    with pytest.raises(ConfigError, match=r"unknown key loop\.learning_speed"):
        build_config(values, ClassifierConfig)


def test_missing_key_is_refused_by_its_place() -> None:
    values = plain_smoke()
    del values["data"]["other_share"]
    with pytest.raises(ConfigError, match=r"missing key data\.other_share"):
        build_config(values, ClassifierConfig)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("loop", "steps", "many"),
        ("loop", "steps", True),
        ("loop", "device", "tpu"),
        ("network", "is_gated", 1),
        ("augmentation", "scale", [0.5]),
        ("network", "channels", 32),
    ],
)
def test_wrong_value_is_refused_by_its_place(section: str, key: str, value: object) -> None:
    values = plain_smoke()
    values[section][key] = value
    with pytest.raises(ConfigError, match=f"{section}.{key}"):
        build_config(values, ClassifierConfig)


def test_whole_number_stands_for_a_real_one_and_null_for_none() -> None:
    values = plain_smoke()
    values["loop"]["learning_rate"] = 1
    values["data"]["train_sizes_px"] = [112, None]
    config = build_config(values, ClassifierConfig)
    assert isinstance(config.loop.learning_rate, float)
    assert config.data.train_sizes_px == (112, None)


def test_words_become_members_of_their_closed_set() -> None:
    smoke = load_preset("smoke")
    on_gpu = replace(smoke, loop=replace(smoke.loop, device=Device.CUDA))
    assert build_config(to_plain(on_gpu), ClassifierConfig).loop.device is Device.CUDA


def test_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="cpu, cpu_long, gpu, small, smoke"):
        load_preset("huge")


def test_missing_file_and_broken_yaml_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no readable file"):
        load_config(tmp_path / "none.yaml", ClassifierConfig)
    path = tmp_path / "broken.yaml"
    path.write_text("loop: [")
    with pytest.raises(ConfigError, match="does not parse"):
        load_config(path, ClassifierConfig)
