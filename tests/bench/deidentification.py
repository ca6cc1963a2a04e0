"""Plants sixty identities in each of many objects, de-identifies them, and looks for what is left: nothing may be."""

from __future__ import annotations

import io
import os
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Annotated

import typer

from services.acquisition.deidentification.deidentify import deidentify
from services.acquisition.deidentification.pseudonyms import Pseudonyms
from services.cine.budget import ReadLimits
from services.cine.reading import read_cine
from tests.identities import IDENTITIES, SYNTAXES, found_in, plant

KEY = bytes(range(32))


def left_in(number: int) -> list[str]:
    """Plant, de-identify and search one object; give what is still in it, by where it was planted."""
    planted = plant(number, SYNTAXES[number % len(SYNTAXES)])
    target = io.BytesIO()
    deidentify(planted.data, target, Pseudonyms(KEY), ReadLimits())
    left = found_in(planted, target.getvalue())
    cine = read_cine(target.getvalue(), ReadLimits())
    is_seen = any(cine.store.colour(index, 1)[planted.written].any() for index in range(cine.frame_count))
    return left + ["burnt-in text"] * is_seen


def main(objects: Annotated[int, typer.Option(min=1, help="How many objects.")] = 1000) -> None:
    """Count what is left of the identities planted in so many objects; exit 1 where anything is."""
    start = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        left = Counter(where for found in pool.map(left_in, range(objects), chunksize=8) for where in found)
    spent_s = time.monotonic() - start
    print(f"{objects} objects, {objects * IDENTITIES} identities, {left.total()} found afterwards, {spent_s:.0f} s")
    for where, count in left.most_common():
        print(f"{count:6} {where}")
    raise typer.Exit(1 if left else 0)


if __name__ == "__main__":
    typer.run(main)
