"""Settings: strict about names, ranges and what goes together."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError, model_validator

from services.cine.errors import ConfigError
from services.runtime.settings import ProcessSettings


class LampSettings(ProcessSettings):
    """A process for the tests."""

    prefix = "LAMP_"

    bulbs: int = Field(1, ge=1, le=8)
    glow_s: float = Field(0.5, gt=0)
    name: str = "lamp"

    @model_validator(mode="after")
    def _glow_is_enough(self) -> LampSettings:
        if self.bulbs * self.glow_s > 10:
            raise ValueError("the bulbs glow too long together")
        return self


def test_defaults_hold_where_nothing_is_set() -> None:
    assert LampSettings.load({"PATH": "/bin", "OTHER_BULBS": "9"}) == LampSettings()


def test_variables_are_read_from_what_is_passed_in_whatever_their_case() -> None:
    settings = LampSettings.load({"LAMP_BULBS": "3", "lamp_glow_s": "1.5"})
    assert (settings.bulbs, settings.glow_s) == (3, 1.5)


@pytest.mark.parametrize("name", ["LAMP_BULB", "LAMP_", "LAMP_BULBS_", "lamp_bulbz"])
def test_a_misspelt_variable_stops_the_start_and_is_named(name: str) -> None:
    with pytest.raises(
        ConfigError, match=f"{name.upper()}.*expected one of LAMP_BULBS, LAMP_GLOW_S, LAMP_LOG_LEVEL, LAMP_NAME"
    ):
        LampSettings.load({name: "2"})


@pytest.mark.parametrize(("name", "value"), [("BULBS", "0"), ("BULBS", "9"), ("BULBS", "two"), ("GLOW_S", "nan")])
def test_a_value_out_of_range_stops_the_start_and_its_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"LAMP_{name}: "):
        LampSettings.load({f"LAMP_{name}": value})


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"LAMP_BULBS: .*; LAMP_GLOW_S: "):
        LampSettings.load({"LAMP_BULBS": "0", "LAMP_GLOW_S": "-1"})


def test_settings_that_do_not_go_together_stop_the_start() -> None:
    with pytest.raises(ConfigError, match="the bulbs glow too long together"):
        LampSettings.load({"LAMP_BULBS": "8", "LAMP_GLOW_S": "2"})


def test_settings_do_not_change_afterwards() -> None:
    settings = LampSettings.load({})
    with pytest.raises(ValidationError):
        settings.bulbs = 2  # type: ignore[misc]
