"""Every preset is complete, and an experiment survives being written down."""

import pytest

from services.cine.errors import ConfigError
from training.configuration import build_config, to_plain
from training.diffusion.config import DiffusionConfig, DistilConfig, load_preset, preset_names

EVERY = [(kind, name) for kind in (DiffusionConfig, DistilConfig) for name in preset_names(kind)]


@pytest.mark.parametrize(("kind", "name"), EVERY, ids=[f"{kind.__name__}-{name}" for kind, name in EVERY])
def test_preset_reads_and_survives_a_round_trip(kind: type[DiffusionConfig | DistilConfig], name: str) -> None:
    config = load_preset(name, kind)
    assert config.recipe == name
    assert build_config(to_plain(config), kind) == config


def test_there_is_a_preset_for_every_machine() -> None:
    assert {"smoke", "small", "cpu", "gpu", "thesis"} <= set(preset_names(DiffusionConfig))
    assert {"smoke", "small", "cpu", "gpu", "thesis"} <= set(preset_names(DistilConfig))


def test_only_styles_that_are_learned_by_name_can_be_asked_for() -> None:
    assert load_preset("cpu", DiffusionConfig).styles == load_preset("cpu", DiffusionConfig).data.styles
    assert load_preset("thesis", DiffusionConfig).styles == ()


def test_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="smoke, thesis"):
        load_preset("huge", DiffusionConfig)
