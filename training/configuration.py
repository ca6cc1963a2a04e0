"""Read one training experiment: a single complete file whose unknown keys, missing keys and wrong types are errors."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from services.cine.errors import ConfigError

_Config = TypeVar("_Config")


def load_config(path: Path, kind: type[_Config]) -> _Config:
    """Read a YAML or JSON file into a frozen dataclass.

    JSON needs no YAML library: a resolved configuration travels to a machine that has only the training's own needs.

    Args:
        path: the file; its suffix says which of the two it is.
        kind: the dataclass, whose fields are numbers, words, enums, tuples of these or dataclasses like it.

    Raises:
        ConfigError: there is no such file, or its keys or values are not those of `kind`.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise _refuse(f"no readable file {path}", "a configuration file", "Check the path.") from error
    return build_config(_parse(text, path), kind)


def build_config(values: object, kind: type[_Config], where: str = "") -> _Config:
    """Build a frozen dataclass from plain values, recursively.

    Raises:
        ConfigError: a key is unknown or missing, or a value has the wrong type; the message names the place.
    """
    if not isinstance(values, Mapping):
        raise _refuse(f"{values!r} at {where or 'the top'}", "a mapping", "Write one key a line.")
    hints = typing.get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(typing.cast("Any", kind))]
    _check_keys(set(values), set(names), where)
    return kind(**{name: _convert(values[name], hints[name], f"{where}{name}") for name in names})


def to_plain(config: object) -> Any:
    """Turn a configuration into JSON's types, complete, so that it can be saved beside what it made."""
    return json.loads(json.dumps(dataclasses.asdict(typing.cast("Any", config))))


def _parse(text: str, path: Path) -> object:
    if path.suffix == ".json":
        return json.loads(text)
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _refuse(f"{path.name} that does not parse: {error}", "YAML", "Correct it.") from error


def _check_keys(found: set[str], wanted: set[str], where: str) -> None:
    wrong = [f"unknown key {where}{key}" for key in sorted(found - wanted)]
    wrong += [f"missing key {where}{key}" for key in sorted(wanted - found)]
    if wrong:
        raise _refuse(", ".join(wrong), f"exactly the keys {', '.join(sorted(wanted))}", "Correct the file.")


def _convert(value: object, hint: Any, where: str) -> Any:
    """Check one value against its annotation and give it the annotated type."""
    if dataclasses.is_dataclass(hint):
        return build_config(value, typing.cast("type[Any]", hint), f"{where}.")
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:  # of one type and None
        return None if value is None else _convert(value, arguments[0], where)
    if origin is tuple:
        return _convert_tuple(value, arguments, where)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _convert_word(value, hint, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise _refuse(f"{value!r} at {where}", f"a value of type {hint.__name__}", "Correct the file.")
    return value


def _convert_tuple(value: object, arguments: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    is_open = arguments[-1] is Ellipsis
    if not isinstance(value, list | tuple) or not (is_open or len(value) == len(arguments)):
        expected = "a list" if is_open else f"a list of {len(arguments)}"
        raise _refuse(f"{value!r} at {where}", expected, "Correct the file.")
    hints = [arguments[0]] * len(value) if is_open else list(arguments)
    return tuple(_convert(item, hint, f"{where}[{i}]") for i, (item, hint) in enumerate(zip(value, hints, strict=True)))


def _convert_word(value: object, kind: type[StrEnum], where: str) -> StrEnum:
    try:
        return kind(str(value))
    except ValueError as error:
        words = ", ".join(member.value for member in kind)
        raise _refuse(f"{value!r} at {where}", f"one of {words}", "Correct the file.") from error


def _refuse(found: str, expected: str, advice: str) -> ConfigError:
    return ConfigError(found=found, expected=expected, advice=advice)
