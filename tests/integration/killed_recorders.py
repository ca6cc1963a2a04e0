"""Has one recorder of a study after another killed at random moments, two at a time, and tells what they were told.

Forks them from one process without threads, so that a kill comes into the work and not into an import.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from services.acquisition.studies import Studies
from tests.unit.acquisition.studying import KEY, NAME, STUDY, cine

LONGEST_S = 0.2
"""A recorder's life: from before its first cine to many of them."""


def record(path: Path, first: int, told: int) -> None:
    """Record one cine after another, and say so after each, until killed."""
    studies, number = Studies(path, KEY), first
    while True:
        studies.record(STUDY, NAME, cine(number))
        os.write(told, b"%d\n" % number)
        number += 1


def main(path: Path, kills: int, seed: int) -> None:
    """Kill so many pairs of recorders; print the numbers of the cines that were said to be recorded, pair by pair."""
    draw = random.Random(seed)
    pairs: list[list[int]] = []
    for pair in range(kills):
        readable, told = os.pipe()
        children = []
        for _ in range(2):  # both the same cines, and some of the pair before
            children.append(os.fork())
            if not children[-1]:
                record(path, pair * 3, told)
        os.close(told)
        time.sleep(draw.uniform(0.0, LONGEST_S))
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        with os.fdopen(readable) as lines:
            pairs.append([int(line) for line in lines])
    print(json.dumps(pairs))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
