"""Settings of a process: read from the environment in one place, typed, and strict about names."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.cine.errors import ConfigError


class Profile(StrEnum):
    """Who is let in."""

    DEMO = "demo"
    SITE = "site"


class ProcessSettings(BaseModel):
    """Base of every process's settings. Subclasses set `prefix` and a `Field` with unit and range for each name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: ClassVar[str]

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Build the settings from the environment, or from variables that stand for it.

        A variable that starts with the prefix and names no setting stops the start: it is misspelt. (pydantic-settings
        leaves such variables alone, and reads the process's environment beside the one it is given.)

        Raises:
            ConfigError: an unknown name or a value out of range.
        """
        prefix = cls.prefix
        variables = os.environ if environment is None else environment
        given = {key.upper(): value for key, value in variables.items() if key.upper().startswith(prefix)}
        known = {prefix + name.upper(): name for name in cls.model_fields}
        if unknown := sorted(given.keys() - known.keys()):
            raise ConfigError(
                found=f"the unknown variable {', '.join(unknown)}",
                expected=f"one of {', '.join(sorted(known))}",
                advice="Correct its spelling or remove it.",
            )
        values: dict[str, Any] = {known[key]: value for key, value in given.items()}
        try:
            return cls(**values)
        except ValidationError as error:  # without a location: the settings do not go together
            faults = "; ".join(
                ": ".join([*(prefix + str(at).upper() for at in e["loc"]), e["msg"]]) for e in error.errors()
            )
            raise ConfigError(
                found=faults, expected="values in range", advice="See `echoplane serve --help`."
            ) from error


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
