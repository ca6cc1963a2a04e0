"""Reads untrusted bytes in a process of their own: whatever happens in there becomes an answer or one typed error."""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import TypeVar

import structlog

from services.cine.errors import (
    CineUnreadableError,
    InputError,
    LimitExceededError,
    ReaderUnavailableError,
    Reason,
)
from services.cine.film import Film
from services.cine.intake import Intake, IntakeOptions
from services.runtime import border
from services.runtime.border import Job
from services.runtime.cine_job import TakeIn
from services.runtime.film_job import MakeFilm

_MIB = 2**20

_log = structlog.get_logger()

_Result = TypeVar("_Result")

_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # threads do not survive a fork
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # large pages: a child's fresh memory costs a third of the faults
}

OUTCOMES = ("answered", "refused", "memory", "time", "crashed", "lost")
"""How the process of a cine can end: with an answer, a typed refusal, stopped by what it did, or without a word."""

_WORD_BYTES = 64
_GRACE_S = 5.0
"""Beyond its wall time, before a cine whose warm parent says nothing is given up."""


@dataclass(frozen=True)
class SandboxLimits:
    """What the process of one cine may use.

    Attributes:
        memory_mib: address space, MiB; decoders ask for far more than they touch.
        cpu_s: processor time, s.
        wall_s: time from the job to the answer, s.
        output_mib: what it may write, MiB.
    """

    memory_mib: int = 4_096
    cpu_s: int = 20
    wall_s: int = 30
    output_mib: int = 64


class Sandbox:
    """A warm parent that forks one confined process a cine. Safe to call from several threads at once.

    Args:
        limits: of each child.
        on_exit: told how each child ended: one of OUTCOMES.
        warm_parent: the module that runs as the warm parent.
    """

    def __init__(
        self,
        limits: SandboxLimits | None = None,
        on_exit: Callable[[str], None] | None = None,
        warm_parent: str = "services.runtime.warm_parent",
    ) -> None:
        self._limits = limits or SandboxLimits()
        self._warm_parent = warm_parent
        self._on_exit = on_exit or (lambda outcome: None)
        self._lock = threading.Lock()
        self._start()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def is_alive(self) -> bool:
        """Say whether the warm parent runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the warm parent, and by that its children."""
        self._control.close()
        self._process.wait(timeout=10)

    def _start(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            fd = theirs.fileno()
            command = [sys.executable, "-m", self._warm_parent, str(fd), json.dumps(asdict(self._limits))]
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command, pass_fds=[fd], stdin=subprocess.DEVNULL, env=dict(os.environ) | _ENVIRONMENT
            )

    def _replace(self, broken: subprocess.Popen[bytes]) -> None:
        """Start a new warm parent in place of one that did not answer, unless another thread has done so."""
        with self._lock:
            if self._process is broken:
                broken.kill()
                broken.wait()
                self._control.close()
                self._start()

    def take_in(self, data: bytes | memoryview, options: IntakeOptions) -> Intake:
        """Read, validate, select and preprocess one cine: `services.cine.intake.take_in`, and errors as `do`."""
        return self.do(TakeIn(options), data)

    def film(self, data: bytes | memoryview, options: IntakeOptions) -> Film:
        """Make one cine fit for a person to look at: `services.cine.film.make_film`, and errors as `do`."""
        return self.do(MakeFilm(options), data)

    def do(self, job: Job[_Result], data: bytes | memoryview) -> _Result:
        """Do one job with one file in a process of its own.

        Args:
            job: of a kind that the warm parent knows.
            data: the whole file.

        Returns:
            What the child found.

        Raises:
            InputError: what the work raised; or DECODER_CRASHED, LIMIT_TIME, LIMIT_MEMORY for what ended the child.
            ReaderUnavailableError: the warm parent is gone; a new one is being started.
        """
        job.limits.check_bytes(len(data))
        output_fd = _shared_memory(self._limits.output_mib * _MIB)
        try:
            ended = self._run(job, data, output_fd)
            result = self._judge(job, ended, output_fd)
        except InputError as error:
            self._on_exit(_OUTCOMES.get(error.reason, "refused"))
            raise
        finally:
            os.close(output_fd)
        self._on_exit("answered")
        return result

    def _run(self, job: Job[_Result], data: bytes | memoryview, output_fd: int) -> bytes:
        """Hand one job to the warm parent and wait for its word on how the child ended."""
        message = json.dumps(border.encode_job(job, len(data), self._limits.output_mib * _MIB)).encode()
        input_fd = os.memfd_create("echoplane-input", os.MFD_CLOEXEC)
        reply_read, reply_write = os.pipe2(os.O_CLOEXEC)
        try:
            try:
                _write_all(input_fd, data)
                process = self._send(message, [input_fd, output_fd, reply_write])
            finally:
                os.close(input_fd)
                os.close(reply_write)
            reply = select.poll()
            reply.register(reply_read, select.POLLIN)
            word = os.read(reply_read, _WORD_BYTES) if reply.poll(1000 * (self._limits.wall_s + _GRACE_S)) else b""
        finally:
            os.close(reply_read)
        if not word:
            _log.warning("warm_parent_lost", exit_code=process.poll())
            self._on_exit("lost")
            self._replace(process)
            raise ReaderUnavailableError
        return word

    def _send(self, message: bytes, fds: list[int]) -> subprocess.Popen[bytes]:
        with self._lock:
            process = self._process
            try:
                socket.send_fds(self._control, [message], fds)
                return process
            except OSError as error:
                failure = error
        self._replace(process)
        raise ReaderUnavailableError from failure

    def _judge(self, job: Job[_Result], word: bytes, output_fd: int) -> _Result:
        """Give the answer or the error for how the child ended; the word may be the child's own and is not believed."""
        try:
            code, is_late = map(int, word.partition(b"\n")[0].split())
            if is_late or code == -signal.SIGXCPU:
                raise self._too_slow()
            if code in (border.EXIT_MEMORY, -signal.SIGKILL):  # nobody but the kernel's out-of-memory killer sends it
                raise self._too_large()
            if code != 0:
                raise _crashed(signal.Signals(-code).name if code < 0 else f"exit code {code}")
            with mmap.mmap(output_fd, 0, prot=mmap.PROT_READ) as mapped, memoryview(mapped) as output:
                return border.decode_answer(job, output)
        except border.UnexpectedError as error:
            raise _crashed(error.kind) from error
        except ValueError as error:
            raise _crashed("malformed answer") from error

    def _too_slow(self) -> LimitExceededError:
        return LimitExceededError(
            Reason.LIMIT_TIME,
            found="a cine that takes too long to read",
            expected=f"at most {self._limits.cpu_s} s of computing and {self._limits.wall_s} s in all",
            advice="Send a shorter or smaller cine.",
        )

    def _too_large(self) -> LimitExceededError:
        return LimitExceededError(
            Reason.LIMIT_MEMORY,
            found=f"a cine that needs more than {self._limits.memory_mib} MiB to read",
            expected="one that fits",
            advice="Send a shorter or smaller cine.",
        )


_OUTCOMES = {Reason.LIMIT_MEMORY: "memory", Reason.LIMIT_TIME: "time", Reason.DECODER_CRASHED: "crashed"}


def _shared_memory(size_bytes: int) -> int:
    """Make a file in memory whose size nobody can change: mapping one that shrinks would end this process."""
    fd = os.memfd_create("echoplane-output", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size_bytes)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    return fd


def _write_all(fd: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _crashed(how: str) -> CineUnreadableError:
    _log.warning("reading_crashed", how=how)
    return CineUnreadableError(
        Reason.DECODER_CRASHED,
        found="a cine that the decoder cannot digest",
        expected="a sound file",
        advice="The file is damaged; send the original again.",
    )
