"""Has a process ready to be started again and again: imported once, so that kills come into its work.

Reads a line for each start, forks, and says which process it is. What runs then is the process's own `main`.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path


def main(module: str, log: Path) -> None:
    """Fork one for each line of stdin, and end with the last of them.

    Args:
        module: whose `__main__` has a `main`.
        log: of its last life.
    """
    started = importlib.import_module(f"{module}.__main__").main
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), sys.stderr.fileno())
            os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
            sys.exit(started())
        print(child, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
