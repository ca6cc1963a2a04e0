"""Settings of a process: read once from the environment, typed, and strict about names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.cine.errors import ConfigError


class ProcessSettings(BaseSettings):
    """Base of every process's settings. Subclasses set `env_prefix` and a `Field` with unit and range for each name."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(frozen=True, extra="forbid")

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Build the settings from the environment.

        pydantic-settings leaves misspelt variables alone; here one that starts with the prefix and names no setting
        stops the start.

        Raises:
            ConfigError: an unknown name or a value out of range.
        """
        prefix = cls.model_config["env_prefix"]
        given = {key for key in (environment or os.environ) if key.upper().startswith(prefix)}
        known = {prefix + name.upper() for name in cls.model_fields}
        if unknown := sorted(key for key in given if key.upper() not in known):
            raise ConfigError(
                found=f"the unknown variable {', '.join(unknown)}",
                expected=f"one of {', '.join(sorted(known))}",
                advice="Correct its spelling or remove it.",
            )
        try:
            return cls()
        except ValidationError as error:
            faults = "; ".join(f"{prefix}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
            raise ConfigError(
                found=faults, expected="values in range", advice="See `echoplane serve --help`."
            ) from error
