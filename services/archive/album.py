"""Pictures of an archive's answers: one a file, and one of them all."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from threading import Lock

from services.answers import Answer, draw
from services.cine.cine import UInt8Array
from services.cine.errors import ConfigError, EchoplaneError
from services.cine.intake import Intake, IntakeOptions
from services.pictures import draw_overview, draw_tile, save_picture
from services.runtime.sandbox import Sandbox

OVERVIEW = "overview.png"
TILES_PER_ANSWER = 12
"""A row of the overview: enough to see what an answer looks like, few enough to hold and to look at."""


class Album:
    """Draws answers into a folder. Safe to call from several threads at once.

    Args:
        folder: for the pictures; made.
        options: how cines are read.
        sandbox: reads them for a picture where they were not read here.

    Raises:
        ConfigError: there can be no such folder.
    """

    def __init__(self, folder: Path, options: IntakeOptions, sandbox: Sandbox) -> None:
        self._folder, self._options, self._sandbox = folder, options, sandbox
        self._lock = Lock()
        self._tiles: dict[str, list[UInt8Array]] = {}
        self._counts: Counter[str] = Counter()
        self.missing = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                found=f"{folder}, where no folder can be ({error.strerror})",
                expected="a folder for the pictures",
                advice="Name another (--pictures).",
            ) from error

    def add(self, answer: Answer, data: bytes) -> None:
        """Draw an answer; one that cannot be drawn or stored is counted as missing."""
        if answer.response is None:
            return
        try:
            intake = answer.intake or self._sandbox.take_in(data, self._options)
            save_picture(draw(answer, intake), self._folder / f"{answer.name}.png")
        except (OSError, EchoplaneError):
            with self._lock:
                self.missing += 1
            return
        self._keep(answer, intake)

    def _keep(self, answer: Answer, intake: Intake) -> None:
        key = " ".join([answer.verdict, answer.view, *answer.codes])
        with self._lock:
            self._counts[key] += 1
            tiles = self._tiles.setdefault(key, [])
            if len(tiles) < TILES_PER_ANSWER and len(intake.model_input):
                tiles.append(draw_tile(intake))

    def finish(self) -> None:
        """Draw the overview, a row an answer."""
        rows = [(f"{key} ({self._counts[key]})", tiles) for key, tiles in sorted(self._tiles.items()) if tiles]
        if not rows:
            return
        try:
            save_picture(draw_overview(rows, TILES_PER_ANSWER), self._folder / OVERVIEW)
        except OSError:
            self.missing += 1
