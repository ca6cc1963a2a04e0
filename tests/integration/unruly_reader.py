"""A warm parent whose children do what their input names: all that a decoder must not do, or must not get away with.

`Sandbox(warm_parent="tests.integration.unruly_reader")` starts it. REFUSED_LAYERS in the environment makes it a poor
kernel, which knows no Landlock or no seccomp.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import platform
import resource
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from services.cine.errors import CineUnreadableError, Reason
from services.cine.intake import Intake, IntakeOptions, take_in
from services.runtime import cine_job, warm_parent

REFUSED = "REFUSED_LAYERS"
OUTPUT_BYTES = 2**20
_libc = ctypes.CDLL(None, use_errno=True)


class ForeignError(RuntimeError):
    """As a library has its own."""


def _raise(error: BaseException) -> None:
    raise error


def _recurse() -> None:
    _recurse()


def _overflow_stack() -> None:
    sys.setrecursionlimit(10**9)
    list(map(lambda _: _overflow_stack(), [0]))  # noqa: C417 - map calls back from C


def _loop() -> None:
    while True:
        pass


def _wait_for_ever() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def _grow() -> None:
    kept: list[mmap.mmap] = []
    while True:
        kept.append(mmap.mmap(-1, 2**26))


def _own_descriptors() -> Iterator[tuple[int, int]]:
    """Find descriptors and their sizes, as far as the kernel still tells."""
    for fd in range(3, 64):
        try:
            yield fd, os.lseek(fd, 0, os.SEEK_END)
        except OSError as error:
            if error.errno == errno.ESPIPE:
                yield fd, -1


def _answer(text: bytes) -> None:
    """Write an answer of one's own and leave as if all were well."""
    fd = next(fd for fd, size in _own_descriptors() if size == OUTPUT_BYTES)
    mmap.mmap(fd, OUTPUT_BYTES)[: len(text)] = text
    os._exit(0)


def _say(word: bytes) -> None:
    """Say how one ended, to whoever listens, and wait."""
    for fd, size in _own_descriptors():
        if size == -1:
            os.write(fd, word)
    _wait_for_ever()


HALF = {"cine": {"format": "AVI"}, "findings": [], "shapes": [[3, 2], [1], [1], [1, 1, 112, 112]]}

DEEDS: dict[str, Callable[[], object]] = {
    "segmentation fault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "stack overflow": _overflow_stack,
    "loop": _loop,
    "wait": _wait_for_ever,
    "memory": _grow,
    "too much at once": lambda: bytearray(2**45),
    "recursion": _recurse,
    "StopIteration": lambda: next(iter(())),
    "SystemExit": lambda: sys.exit(0),
    "KeyboardInterrupt": lambda: _raise(KeyboardInterrupt()),
    "GeneratorExit": lambda: _raise(GeneratorExit()),
    "foreign error": lambda: _raise(ForeignError("Doe^Jane")),
    "group of errors": lambda: _raise(BaseExceptionGroup("Doe^Jane", [KeyboardInterrupt()])),
    "exit without an answer": lambda: os._exit(0),
    "exit with an unknown code": lambda: os._exit(77),
    "half an answer": lambda: _answer(json.dumps(HALF).encode().ljust(65_536)),
    "output full of nothing": lambda: _answer(b"\xff" * OUTPUT_BYTES),
    "endless nesting": lambda: _answer(b"[" * OUTPUT_BYTES),
    "no descriptors": lambda: [os.close(fd) for fd in [0, 1, 2, *[fd for fd, _ in _own_descriptors()]]],
    "noise for a word": lambda: _say(b"\xff" * 4_000),
    "impossible word": lambda: _say(b"-999 0\n"),
}


def _write_file() -> None:
    fd = os.open("/tmp", os.O_TMPFILE | os.O_WRONLY)
    os.write(fd, b"pixels")


def _call() -> None:
    with socket.socket() as caller:
        caller.connect(("127.0.0.1", 9))


def _checked(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), "")


ESCAPES: dict[str, Callable[[], object]] = {
    "read a file": lambda: Path("/etc/hostname").read_bytes(),
    "write a file": _write_file,
    "list a folder": lambda: list(Path("/").iterdir()),
    "delete a file": lambda: Path("/tmp/echoplane").unlink(),
    "call over TCP": _call,
    "end the warm parent": lambda: os.kill(os.getppid(), signal.SIGTERM),
    "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_CPU, (9_999, 9_999)),
    "look at a file": lambda: Path("/etc/hostname").stat(),
    "fork": lambda: os.fork() or os._exit(0),
    "start a program": lambda: os.execv("/bin/true", ["true"]),
    "open a socket": lambda: socket.socket().close(),
    "trace the warm parent": lambda: _checked(_libc.ptrace(16, os.getppid(), 0, 0)),
    "end a stranger": lambda: os.kill(1, 0),
    "make more shared memory": lambda: os.memfd_create("more"),
    "run what it wrote": lambda: mmap.mmap(-1, 4_096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "start a thread": lambda: threading.Thread(target=int).start(),
}


def _outcome(escape: Callable[[], object]) -> str:
    try:
        escape()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "no number")
    except (ValueError, RuntimeError) as error:
        return type(error).__name__
    return "done"


def read(data: memoryview, options: IntakeOptions) -> Intake:
    """Do what the input names, or take it in."""
    name = bytes(data[:80]).decode("ascii", "replace")
    if name in ESCAPES:
        raise CineUnreadableError(Reason.EMPTY, found=_outcome(ESCAPES[name]), expected="none", advice="None.")
    DEEDS.get(name, lambda: None)()
    return take_in(data, options)


def _become_poor(refused: str) -> None:
    """Refuse the calls by which a layer is entered, with a filter of our own that outlives this one's."""
    prctl = {"x86_64": 157, "aarch64": 167}[platform.machine()]
    landlock, seccomp = int("Landlock" in refused), int("seccomp" in refused)
    steps = [
        (0x20, 0, 0, 0),  # load the number of the call
        (0x35, 0, 2, 444),  # landlock_create_ruleset and what comes after it
        (0x35, 1, 0, 447),
        (0x06, 0, 0, 0x0005_0000 | errno.ENOSYS if landlock else 0x7FFF_0000),
        (0x15, 0, 3, prctl),
        (0x20, 0, 0, 16),  # load its first argument
        (0x15, 0, 1, 22),  # PR_SET_SECCOMP
        (0x06, 0, 0, 0x0005_0000 | errno.EINVAL if seccomp else 0x7FFF_0000),
        (0x06, 0, 0, 0x7FFF_0000),
    ]
    program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    _checked(_libc.prctl(38, *map(ctypes.c_ulong, (1, 0, 0, 0))))
    _checked(_libc.prctl(22, ctypes.c_ulong(2), struct.pack("@HP", len(steps), ctypes.addressof(program))))


if __name__ == "__main__":
    if refused := os.environ.get(REFUSED):
        _become_poor(refused)
    warm_parent.main({cine_job.KIND: cine_job.work_of(read)})
