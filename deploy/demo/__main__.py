"""Runs the main job on a few cines and shows what was expected beside what was answered: `make demo`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from deploy.demo.cines import DemoCine, write_cines
from deploy.demo.gateway import running_gateway
from services.answers import Answer, draw, print_reasons
from services.archive.askers import AskServer
from services.cine.cine import UInt8Array
from services.cine.intake import IntakeOptions
from services.client import Client
from services.pictures import ROW_HEIGHT_PX, save_picture
from services.runtime.sandbox import Sandbox

OUT = Path("out/demo")
_SHEET_COLUMNS = 2


def main() -> int:
    """Run the demonstration; 0 when every answer is the expected one."""
    console = Console()
    console.print("[bold]Echoplane[/bold] names the view of echocardiogram cine loops. Not a medical device.")
    cines = write_cines(OUT / "cines")
    with running_gateway(OUT / "gateway.log") as gateway:
        console.print(f"The gateway serves gRPC on {gateway.address}; {len(cines)} cines go to it one by one.")
        answers, pictures = asyncio.run(_ask_all(gateway.address, cines))
    console.print(_table(cines, answers))
    print_reasons(console, [answer.line for answer in answers])
    save_picture(_sheet(pictures), OUT / "answers.jpg")
    wrong = sum(not cine.is_met_by(answer) for cine, answer in zip(cines, answers, strict=True))
    console.print(
        f"Pictures: {OUT}/answers.jpg and one a cine beside it. Weights: trained on {_trained_on(answers)} data."
    )
    console.print(
        f"[red]{wrong} answers differ from what was expected.[/red]" if wrong else "Every answer as expected."
    )
    return 1 if wrong else 0


async def _ask_all(address: str, cines: list[DemoCine]) -> tuple[list[Answer], list[UInt8Array]]:
    answers, pictures = [], []
    async with Client(address) as client:
        with Sandbox() as sandbox:
            for cine in track(cines, "Asking", transient=True, disable=not sys.stderr.isatty()):
                data = cine.path.read_bytes()
                answer = await AskServer(client).ask(cine.path, cine.path.name, data, IntakeOptions())
                answers.append(answer)
                if answer.response is not None and answer.response.frames:
                    picture = draw(answer, sandbox.take_in(data, IntakeOptions()))
                    save_picture(picture, OUT / f"{cine.path.name}.png")
                    pictures.append(picture)
    return answers, pictures


def _table(cines: list[DemoCine], answers: list[Answer]) -> Table:
    table = Table("cine", "expected", "answered", "", title="One cine in, one view out", show_lines=True)
    for cine, answer in zip(cines, answers, strict=True):
        confidence = "" if answer.confidence == "-" else f" {answer.confidence}"
        mark = "[green]ok[/green]" if cine.is_met_by(answer) else "[red]no[/red]"
        table.add_row(
            f"{cine.path.name}\n[dim]{cine.origin}[/dim]",
            f"{cine.verdict}\n{cine.wanted}",
            f"{answer.verdict}\n{', '.join([*answer.codes, answer.view])}{confidence}",
            mark,
        )
    return table


def _trained_on(answers: list[Answer]) -> str:
    return next(answer.response.model.trained_on for answer in answers if answer.response is not None)


def _sheet(pictures: list[UInt8Array]) -> UInt8Array:
    """Lay the first row of frames of each picture out in columns, black where one is missing."""
    pictures = [picture[:ROW_HEIGHT_PX] for picture in pictures]
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    tiles = [
        cv2.copyMakeBorder(p, 0, height - p.shape[0] + 6, 0, width - p.shape[1] + 6, cv2.BORDER_CONSTANT)
        for p in pictures
    ]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _SHEET_COLUMNS)
    rows = [np.hstack(tiles[start : start + _SHEET_COLUMNS]) for start in range(0, len(tiles), _SHEET_COLUMNS)]
    return np.vstack(rows)


if __name__ == "__main__":
    sys.exit(main())
