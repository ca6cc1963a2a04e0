"""What a trial asks of a study, as a YAML file that a person writes (deploy/trials/example.yaml)."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from services.cine.errors import ConfigError
from services.cine.views import TARGET_VIEWS, View

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,32}$")]
_Mask = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9#@._-]{1,16}$")]
_PLACES = {"#": "[0-9]", "@": "[A-Z]"}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RequiredView(_Part):
    """What is asked of one view.

    Attributes:
        view: one of the four.
        accepted_cines: that are needed.
        least_confidence: with which the view of each must be told, 0 to 1.
    """

    view: View
    accepted_cines: int = Field(ge=1, le=20)
    least_confidence: float = Field(ge=0.0, le=1.0)

    @field_validator("view")
    @classmethod
    def _is_asked_for(cls, view: View) -> View:
        if view not in TARGET_VIEWS:
            raise ValueError(f"one of {', '.join(TARGET_VIEWS)}")
        return view


class TrialProtocol(_Part):
    """What a trial asks of each study.

    Attributes:
        trial: its name.
        subject_code: the shape of its subject codes: `#` stands for a digit, `@` for a capital letter, anything else
            for itself. What a site types must have it, so that no name and no personal number is kept by mistake.
        visits: names of its visits; a site types one of them.
        quiet_time_s: without a cine, after which a review is final, s.
        required_views: each view once.
    """

    trial: _Name
    subject_code: _Mask
    visits: tuple[_Name, ...] = Field(min_length=1)
    quiet_time_s: float = Field(gt=0, le=30 * 86_400)
    required_views: tuple[RequiredView, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_each_view_once(self) -> Self:
        if len({required.view for required in self.required_views}) < len(self.required_views):
            raise ValueError("required_views names a view twice")
        return self

    def is_subject_code(self, text: str) -> bool:
        """Whether a text has the shape of the trial's subject codes."""
        return has_shape(text, self.subject_code)


def has_shape(text: str, mask: str) -> bool:
    """Whether a text has the shape of a trial's subject codes (TrialProtocol.subject_code)."""
    return re.fullmatch("".join(_PLACES.get(mark, re.escape(mark)) for mark in mask), text) is not None


class _EachKeyOnce(yaml.SafeLoader):
    """Refuses a mapping that names a key twice; YAML would let the last one win, and a trial ask for less."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [str(key.value) for key, _ in node.value]
        if len(set(keys)) < len(keys):
            raise yaml.YAMLError("a key twice")
        return super().construct_mapping(node, deep)


def read_protocol(path: Path) -> TrialProtocol:
    """Read a trial's protocol.

    Raises:
        ConfigError: there is no such file, it is no YAML, or it says too little, too much or what cannot be.
    """
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), _EachKeyOnce)  # noqa: S506 - a SafeLoader
        return TrialProtocol.model_validate(found)
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, f"it cannot be read ({type(error).__name__})") from error
    except yaml.YAMLError as error:
        raise _unusable(path, "no YAML, or a key twice") from error
    except ValidationError as error:
        faults = "; ".join(": ".join([".".join(map(str, e["loc"])) or "protocol", e["msg"]]) for e in error.errors())
        raise _unusable(path, faults) from error


def _unusable(path: Path, found: str) -> ConfigError:
    return ConfigError(
        found=f"{path}: {found}",
        expected="a trial's protocol",
        advice="See deploy/trials/example.yaml, and ECHOPLANE_GATEWAY_TRIAL_PROTOCOL.",
    )
