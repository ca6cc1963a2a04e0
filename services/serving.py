"""Runs a whole site: gateway, DICOM node and console, each a process of its own, watched over by this one.

A part that ends is started again, from its first start on: a node receives also while there is no model. Only a wrong
setting, which no second try mends, ends the whole before it serves. No part outlives this process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pkgutil import resolve_name
from typing import Any

import structlog

from services.cine.errors import ConfigError
from services.runtime.confinement import end_with_parent
from services.runtime.settings import ProcessSettings, Profile

STEADY_S = 60.0
"""A part that ran for so long is started again after the shortest pause."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Before a part is started again; twice as long each time that it ends soon."""

_END_MARGIN_S = 15.0
"""Beyond the time that a part may drain, before it is killed."""

_POLL_S = 0.1
_WRONG_SETTING = 2
"""Exit code of a process with one."""

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is reached from here instead

_log = structlog.get_logger()


@dataclass(frozen=True)
class Part:
    """One process of a site.

    Attributes:
        name: what people call it.
        module: that runs it.
        settings: their class, "module:name".
        check: coroutine that takes settings, opens what they name and gives a line about it, "module:name".
        doors: ports by their setting, and how an address there is written; those that the settings lack are left out.
    """

    name: str
    module: str
    settings: str
    check: str = ""
    doors: Mapping[str, str] = field(default_factory=dict)


PARTS = (
    Part(
        "gateway",
        "services.gateway",
        "services.gateway.settings:GatewaySettings",
        "services.gateway.server:check",
        {"port": "gRPC {at}", "metrics_port": "http://{at}/metrics"},
    ),
    Part(
        "node",
        "services.acquisition",
        "services.acquisition.settings:NodeSettings",
        "services.acquisition.node:check",
        {"port": "DICOM {at}, AE title {title}", "metrics_port": "http://{at}/metrics"},
    ),
    Part(
        "console",
        "services.acquisition.console",
        "services.acquisition.console.settings:ConsoleSettings",
        doors={"port": "http://{at}/"},
    ),
)
"""In the order of their start: each needs those before it, if any."""


@dataclass(frozen=True)
class Place:
    """A part with its settings, and the environment that gives them."""

    part: Part
    settings: Any
    environment: Mapping[str, str]

    @property
    def host(self) -> str:
        """The address at which it is reached from this machine."""
        host: str = self.settings.host
        return _EVERYWHERE.get(host, host)

    @property
    def ports(self) -> dict[str, int]:
        """Its ports by their setting."""
        return {door: getattr(self.settings, door) for door in self.part.doors if hasattr(self.settings, door)}

    @property
    def lines(self) -> list[str]:
        """Where it is reached, for people."""
        said = self.settings.model_dump()
        return [self.part.doors[door].format(**said, at=_at(self.host, port)) for door, port in self.ports.items()]

    def name(self, setting: str) -> str:
        """Give the variable of a setting."""
        return f"{self.settings.prefix}{setting.upper()}"


def plan(only: Sequence[str], environment: Mapping[str, str]) -> list[Place]:
    """Read the settings of all parts, or of those named, and hold them to one another. Nothing is started.

    What a part needs to know of the gateway it is told, unless its own settings say it; a port 0 becomes a free one.

    Raises:
        ConfigError: no such part, a setting is wrong, a port is taken, or two parts do not go together.
    """
    if unknown := sorted(set(only) - {part.name for part in PARTS}):
        raise ConfigError(
            found=f"no part {', '.join(unknown)}",
            expected=f"one of {', '.join(part.name for part in PARTS)}",
            advice="Correct --only.",
        )
    places: list[Place] = []
    for part in PARTS:
        if not only or part.name in only:
            places.append(_placed(part, environment, places[0] if places else None))
    return places


def _placed(part: Part, environment: Mapping[str, str], gateway: Place | None) -> Place:
    kind: type[ProcessSettings] = resolve_name(part.settings)
    own = dict(environment)
    if gateway is not None and gateway.part.name == "gateway":
        own.setdefault(f"{kind.prefix}GATEWAY_ADDRESS", _at(gateway.host, gateway.ports["port"]))
    place = Place(part, kind.load(own), own)
    if free := {place.name(door): str(_free_port(place.settings.host)) for door, at in place.ports.items() if at == 0}:
        place = Place(part, kind.load(own | free), own | free)
    if gateway is not None:
        _check_together(gateway, place)
    return place


def _check_together(first: Place, place: Place) -> None:
    profile, expected = place.settings.profile, first.settings.profile
    if profile != expected:
        raise ConfigError(
            found=f"{place.name('profile')}={profile} beside {first.name('profile')}={expected}",
            expected="the same for all",
            advice="Set both, or start one alone (--only).",
        )
    if expected is Profile.SITE and first.part.name == "gateway" and place.settings.gateway_ca_file is None:
        raise ConfigError(
            found=f"no {place.name('gateway_ca_file')} beside a gateway that speaks TLS alone",
            expected="the authority of the gateway's certificate",
            advice="Set it.",
        )


def check_ports(places: Sequence[Place]) -> None:
    """See that nobody else listens where the parts will.

    Raises:
        ConfigError: somebody does.
    """
    for place in places:
        for door, port in place.ports.items():
            try:
                _listen(place.settings.host, port).close()
            except OSError as error:
                raise ConfigError(
                    found=f"{_at(place.settings.host, port)} taken",
                    expected="a free port",
                    advice=f"Is Echoplane running already? Else set {place.name(door)} to another.",
                ) from error


async def check(places: Sequence[Place]) -> list[str]:
    """Open what the settings name: models, certificates, sites; give a line about each part.

    Raises:
        EchoplaneError: something is not there or not what it should be.
    """
    checks: list[Callable[[Any], Any]] = [resolve_name(place.part.check or f"{__name__}:nothing") for place in places]
    return [f"ok: {place.part.name} {await ask(place.settings)}" for place, ask in zip(places, checks, strict=True)]


async def nothing(settings: ProcessSettings) -> str:
    """Open nothing: the settings are all there is to check."""
    return "settings"


class Supervisor:
    """Starts the parts, keeps them running, and ends them.

    Args:
        places: the parts, in the order of their start.
        on_serving: called once, when all of them listen.
    """

    def __init__(self, places: Sequence[Place], on_serving: Callable[[], None]) -> None:
        self._places, self._on_serving = places, on_serving
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._is_serving = False
        self._told = asyncio.Event()

    async def run(self) -> int:
        """Run the parts until SIGTERM or SIGINT; a second one kills them.

        Returns:
            0, or 2 where a part had a wrong setting before all of them listened.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._tell)
        told, watching = asyncio.create_task(self._told.wait()), asyncio.create_task(self._watch())
        kept = [asyncio.create_task(self._keep(place)) for place in self._places]
        try:
            await asyncio.wait([told, *kept], return_when=asyncio.FIRST_COMPLETED)
            return 0 if told.done() else _WRONG_SETTING
        finally:
            for task in (told, watching, *kept):
                task.cancel()
            await self._end()

    def _tell(self) -> None:
        if self._told.is_set():
            for process in self._running.values():
                with suppress(ProcessLookupError):
                    process.kill()
        self._told.set()

    async def _watch(self) -> None:
        """Wait until all parts listen."""
        for place in self._places:
            for port in place.ports.values():
                while not await _is_open(place.host, port):
                    await asyncio.sleep(_POLL_S)
        self._is_serving = True
        self._on_serving()

    async def _start(self, place: Place) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", place.part.module),
            env=place.environment,
            stdin=asyncio.subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for this process, which tells the others
            preexec_fn=partial(end_with_parent, os.getpid()),
        )
        self._running[place.part.name] = process
        return process

    async def _keep(self, place: Place) -> None:
        """Start a part, again whenever it ends; return where it has a wrong setting from the start."""
        pause_s = FIRST_PAUSE_S
        while True:
            process, start_s = await self._start(place), time.monotonic()
            code = await process.wait()
            if code == _WRONG_SETTING and not self._is_serving:
                _log.error("cannot_start", part=place.part.name, exit_code=code)
                return
            if time.monotonic() - start_s > STEADY_S:
                pause_s = FIRST_PAUSE_S
            _log.error("part_ended", part=place.part.name, exit_code=code, again_in_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2.0 * pause_s)

    async def _end(self) -> None:
        """Let all parts finish at the same time, and kill those that do not."""
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.terminate()
        longest_s = max((getattr(each.settings, "drain_timeout_s", 0.0) for each in self._places), default=0.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s + _END_MARGIN_S):
                for process in self._running.values():
                    await process.wait()
        for name, process in self._running.items():
            if process.returncode is None:
                _log.error("part_killed", part=name)
                process.kill()
                await process.wait()


async def _is_open(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


def _listen(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)


def _free_port(host: str) -> int:
    with _listen(host, 0) as listener:
        return int(listener.getsockname()[1])


def _at(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
