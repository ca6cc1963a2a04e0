"""The sandbox's warm parent: it has the decoders loaded, and forks one limited child for every cine.

Run by `services.runtime.sandbox` only, as `python -m services.runtime.warm_parent SOCKET_FD`. It is a process of its
own because a process that serves gRPC has threads, and a fork of a process with threads can deadlock.

A job is one message on the socket: JSON limits and options, with three file descriptors: input, output, reply. The
child writes its answer to `output` and exits; the warm parent then writes one JSON line to `reply`: how it ended.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

import cv2

from services.runtime import cine_job

_MESSAGE_BYTES = 65_536
_MIB = 2**20


@dataclass(frozen=True)
class _Child:
    reply_fd: int
    deadline_s: float


def main() -> None:
    """Serve jobs until the other end of the socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    cv2.setNumThreads(0)  # a pool of threads would not survive the fork
    cine_job.warm_up()
    gc.collect()
    gc.freeze()  # children then leave the shared pages alone,
    gc.disable()  # and live too briefly to need a collection
    _serve(control)


def _serve(control: socket.socket) -> None:
    children: dict[int, _Child] = {}
    awake, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the owner ends us by closing
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(awake, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select(_next_deadline(children))}
            if awake in ready:
                os.read(awake, 512)
            _reap(children)
            _end_late(children)
            if control in ready and not _take_job(control, children):
                return


def _next_deadline(children: dict[int, _Child]) -> float | None:
    if not children:
        return None
    return max(0.0, min(child.deadline_s for child in children.values()) - time.monotonic())


def _end_late(children: dict[int, _Child]) -> None:
    now = time.monotonic()
    for pid, child in children.items():
        if child.deadline_s <= now:
            os.kill(pid, signal.SIGKILL)  # reaped at the SIGCHLD that follows; still ours until then


def _reap(children: dict[int, _Child]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        child = children.pop(pid)
        ended = {"exit": os.waitstatus_to_exitcode(status), "late": time.monotonic() >= child.deadline_s}
        os.write(child.reply_fd, json.dumps(ended).encode() + b"\n")
        os.close(child.reply_fd)


def _take_job(control: socket.socket, children: dict[int, _Child]) -> bool:
    message, fds, _, _ = socket.recv_fds(control, _MESSAGE_BYTES, 3)
    if not message:
        return False
    job = json.loads(message)
    input_fd, output_fd, reply_fd = fds
    pid = os.fork()
    if pid == 0:
        _run_child(job, input_fd, output_fd)
    os.close(input_fd)
    os.close(output_fd)
    children[pid] = _Child(reply_fd, time.monotonic() + job["limits"]["wall_s"])
    return True


def _run_child(job: dict[str, Any], input_fd: int, output_fd: int) -> None:
    """Do the job and leave, without running anything that the parent registered for its own end."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _close_others({input_fd, output_fd})
        confine(job["limits"])
        cine_job.run(job["options"], input_fd, output_fd)
        code = 0
    except MemoryError:
        code = cine_job.EXIT_MEMORY
    finally:
        os._exit(code)


def _close_others(kept: set[int]) -> None:
    """Close every descriptor but the job's own: no socket, pipe or memory of another cine stays within reach."""
    quiet = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(quiet, standard)
    low = 3
    for fd in sorted(kept):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, 65_536)


def confine(limits: dict[str, int]) -> None:
    """Limit this process for good; its answer goes to shared memory, so that it needs to write no file at all."""
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory_mib"] * _MIB,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_s"], limits["cpu_s"] + 1))  # SIGXCPU first, then SIGKILL
    signal.setitimer(signal.ITIMER_REAL, limits["wall_s"] + 1)  # should the warm parent not be there to end it
    for nothing in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
        resource.setrlimit(nothing, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


if __name__ == "__main__":
    main()
