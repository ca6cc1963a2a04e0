"""The sandbox's warm parent: it has the decoders loaded, and forks one confined child for every cine.

Run by `services.runtime.sandbox` only, as `python -m services.runtime.warm_parent SOCKET_FD LIMITS`; a module that
calls `main` with works of its own can stand in its place. It is a process of its own because a process that serves gRPC
has threads, and a fork of a process with threads can deadlock.

A job is one message on the socket: JSON (`border.encode_job`), with three file descriptors: input, output, reply. A
child that was forked ahead of it takes it, writes its answer to `output`, says so on `reply` and exits. When it has
ended the warm parent says on `reply` how; whoever comes first is heard. Their word is a line: exit code, and 1 where it
was late.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import cv2
import structlog

from services.runtime import border, cine_job, confinement, film_job, hot_pages, rehearsal
from services.runtime.logs import configure_logs

_MESSAGE_BYTES = 65_536
_ADVICE = "Use Linux 5.13 or newer with Landlock, and a container runtime that lets Landlock and seccomp through."


@dataclass(frozen=True)
class _Spare:
    """A child that waits for its cine."""

    pid: int
    channel: socket.socket


@dataclass(frozen=True)
class _Job:
    reply_fd: int
    deadline_s: float


WORKS: border.Works = {cine_job.KIND: cine_job.work_of(), film_job.KIND: film_job.work}
"""What a child does with a cine that is looked at here."""


def main(works: border.Works = WORKS, warm_up: Callable[[], Callable[[], None]] = rehearsal.warm_up) -> None:
    """Serve jobs until the other end of the socket closes.

    Args:
        works: what children do, by the kind of job.
        warm_up: loads all that they ever load, for a child opens no file, and gives a rehearsal of it.
    """
    control, limits = socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2])
    cv2.setNumThreads(0)  # a pool of threads would not survive the fork
    rehearse = warm_up()
    rehearse()
    configure_logs("warning")
    gc.collect()
    gc.freeze()  # children then leave the shared pages alone,
    gc.disable()  # and live too briefly to need a collection
    parent = _WarmParent(control, limits, works, hot_pages.changed_by(rehearse))
    if missing := confinement.give_up_the_world():
        structlog.get_logger().warning("confinement_incomplete", missing=missing, advice=_ADVICE)
    parent.serve()


class _WarmParent:
    """One spare child, forked while nobody waits for it, and those that have their cine.

    Args:
        control: brings the jobs.
        limits: of every child; the fields of `services.runtime.sandbox.SandboxLimits`.
        works: what children do, by the kind of job.
        hot: the memory that it will change.
    """

    def __init__(
        self, control: socket.socket, limits: dict[str, int], works: border.Works, hot: hot_pages.Runs
    ) -> None:
        self._control, self._limits, self._works, self._hot = control, limits, works, hot
        self._spare: _Spare | None = None
        self._jobs: dict[int, _Job] = {}
        self._quiet = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._awake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the owner ends us by closing

    def serve(self) -> None:
        """Hand jobs to children and tell how they ended, until the owner closes its end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(self._awake, selectors.EVENT_READ)
            self._spare = self._fork()
            while True:
                ready = {key.fileobj for key, _ in selector.select(self._next_deadline())}
                if self._awake in ready:
                    os.read(self._awake, 512)
                self._reap()
                self._end_late()
                if self._control in ready and not self._hand_over():
                    return

    def _next_deadline(self) -> float | None:
        if not self._jobs:
            return None
        return max(0.0, min(job.deadline_s for job in self._jobs.values()) - time.monotonic())

    def _end_late(self) -> None:
        now = time.monotonic()
        for pid, job in self._jobs.items():
            if job.deadline_s <= now:
                os.kill(pid, signal.SIGKILL)  # reaped at the SIGCHLD that follows; still ours until then

    def _reap(self) -> None:
        while self._jobs or self._spare:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            job = self._jobs.pop(pid, None)
            if job is None:
                self._spare = None  # it ended before it had a cine; the next job gets a new one
                continue
            is_late = time.monotonic() >= job.deadline_s
            with os.fdopen(job.reply_fd, "wb", buffering=0) as reply, suppress(BrokenPipeError):
                reply.write(b"%d %d\n" % (os.waitstatus_to_exitcode(status), is_late))

    def _hand_over(self) -> bool:
        message, fds, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, 3)
        if not message:
            return False
        input_fd, output_fd, reply_fd = fds
        spare = self._spare or self._fork()
        self._jobs[spare.pid] = _Job(reply_fd, time.monotonic() + self._limits["wall_s"])
        with spare.channel, suppress(OSError):  # one that is dead by now is told of when it is reaped
            socket.send_fds(spare.channel, [message], fds)
        os.close(input_fd)
        os.close(output_fd)
        self._spare = self._fork()
        return True

    def _fork(self) -> _Spare:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._live(theirs, parent)
        theirs.close()
        return _Spare(pid, ours)

    def _live(self, channel: socket.socket, parent: int) -> NoReturn:
        """Wait for one cine, read it and leave, without running anything that the parent registered for its own end."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._close_others(channel.fileno())
            confinement.give_up_the_rest(self._limits["memory_mib"], self._limits["cpu_s"], parent)
            hot_pages.copy_ahead(self._hot)
            message, fds, _, _ = socket.recv_fds(channel, _MESSAGE_BYTES, 3)
            if message:
                input_fd, output_fd, reply_fd = fds
                code = border.run(self._works, json.loads(message), input_fd, output_fd)
                os.write(reply_fd, b"%d 0\n" % code)  # to end takes a while that nobody needs to wait for
        finally:
            os._exit(code)

    def _close_others(self, channel_fd: int) -> None:
        """Close every descriptor but the channel: no socket, pipe or memory of another cine stays within reach."""
        for standard in (0, 1, 2):
            os.dup2(self._quiet, standard)
        os.closerange(3, channel_fd)
        os.closerange(channel_fd + 1, 65_536)


if __name__ == "__main__":
    main()
