"""What a process that reads untrusted bytes gives up for good: files, network, other processes, most of the kernel.

Two steps. The warm parent takes `give_up_the_world` once, and its children inherit it: capabilities, files, network.
Every child takes `give_up_the_rest` at its birth: its parent and siblings, and all calls but a few. Landlock and
seccomp each keep a child from files and network alone, so that where a kernel or a container refuses one the other
stands.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from collections.abc import Callable
from mmap import PROT_EXEC

_MIB = 2**20
_OPEN_FILES = 64
_libc = ctypes.CDLL(None, use_errno=True)

_SET_PDEATHSIG, _SET_DUMPABLE, _SET_SECCOMP, _SET_NO_NEW_PRIVS = 1, 4, 22, 38  # linux/prctl.h
_FILTER_MODE = 2
_CAPABILITIES_VERSION_3 = 0x20080522

_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF, _LANDLOCK_ASK_VERSION = 444, 446, 1  # the same on all machines
_LANDLOCK_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""Rights over files that each version of Landlock knows, counted from the lowest bit; 16 from version 5 on."""

_MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}  # linux/audit.h; the column of `_CALLS`
_CALLS = {
    "brk": (12, 214),
    "clock_getres": (229, 114),
    "clock_gettime": (228, 113),
    "close": (3, 57),
    "exit": (60, 93),
    "exit_group": (231, 94),
    "fcntl": (72, 25),
    "fstat": (5, 80),
    "futex": (202, 98),
    "getpid": (39, 172),
    "getrandom": (318, 278),
    "gettid": (186, 178),
    "gettimeofday": (96, 169),
    "lseek": (8, 62),
    "madvise": (28, 233),
    "mremap": (25, 216),
    "munmap": (11, 215),
    "read": (0, 63),
    "recvmsg": (47, 212),
    "restart_syscall": (219, 128),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "sched_getaffinity": (204, 123),
    "sched_yield": (24, 124),
    "sigaltstack": (131, 132),
    "write": (1, 64),
}
"""What a child may ask of the kernel: memory, time, its own signals, and the descriptors that it already has.

It names what is allowed because the kernel gains calls with every release and a decoder does not. Any other call
fails with ENOSYS, as on a kernel that lacks it, and does not end the process: a library that only tries its luck (a
pool of threads, a configuration file) carries on without.
"""
_MAPPING_CALLS = {"mmap": (9, 222), "mprotect": (10, 226)}
"""Allowed too, unless the memory could be run: there is no other code than what the warm parent had loaded."""

_LOAD, _IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06  # linux/bpf_common.h
_CALL, _MACHINE, _THIRD_ARGUMENT = 0, 4, 32  # struct seccomp_data, little endian
_ALLOW, _REFUSE, _END = 0x7FFF_0000, 0x0005_0000 | errno.ENOSYS, 0x8000_0000


def give_up_the_world() -> list[str]:
    """Take every capability, every file and the network from this process and all that it will fork.

    Returns:
        The layers that this kernel or container refuses; they are done without.
    """
    layers: dict[str, Callable[[], None]] = {
        "no new privileges": lambda: _prctl(_SET_NO_NEW_PRIVS, 1),
        "capabilities": _drop_capabilities,
        "Landlock": _landlock,
        "seccomp": _check_seccomp,
    }
    return [name for name, enter in layers.items() if _is_refused(enter)]


def give_up_the_rest(memory_mib: int, cpu_s: int, parent: int) -> None:
    """Limit this process, tie its life to its parent's, and refuse it every call that reading does not need.

    Args:
        memory_mib: address space it may have, MiB.
        cpu_s: processor time it may use, s.
        parent: process id of the one that forked it.
    """
    end_with_parent(parent)
    _prctl(_SET_DUMPABLE, 0)  # a core dump that is piped to a crash handler heeds no limit
    resource.setrlimit(resource.RLIMIT_AS, (memory_mib * _MIB,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))  # SIGXCPU first, then SIGKILL
    for nothing in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
        resource.setrlimit(nothing, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    _is_refused(_landlock)  # once more: a domain of its own keeps it from its parent and siblings too
    _is_refused(_seccomp)


def end_with_parent(parent: int) -> None:
    """Have this process killed when the thread that forked it ends (prctl(2), PR_SET_PDEATHSIG).

    Args:
        parent: process id of that thread's process.
    """
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked to be told
        os.kill(os.getpid(), signal.SIGKILL)


def _is_refused(enter: Callable[[], None]) -> bool:
    try:
        enter()
    except OSError:
        return True
    return False


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused by the kernel")
    return result


def _prctl(option: int, first: int, second: int = 0) -> None:
    _checked(_libc.prctl(option, *map(ctypes.c_ulong, (first, second, 0, 0))))


def _drop_capabilities() -> None:
    """Drop all capabilities (capset(2)); root without them keeps root's files, which Landlock and seccomp take."""
    _checked(_libc.capset(struct.pack("=Ii", _CAPABILITIES_VERSION_3, 0), bytes(24)))


def _landlock() -> None:
    """Enter a Landlock domain that has no rule: no file, and by version no TCP, abstract socket or foreign signal."""
    version = _checked(_libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_ASK_VERSION))
    files = (1 << _LANDLOCK_FILE_RIGHTS.get(version, 16)) - 1
    ruleset = struct.pack("=QQQ", files, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    fd = _checked(_libc.syscall(_LANDLOCK_CREATE_RULESET, ruleset, ctypes.c_size_t(len(ruleset)), 0))
    try:
        _checked(_libc.syscall(_LANDLOCK_RESTRICT_SELF, fd, 0))
    finally:
        os.close(fd)


def _check_seccomp() -> None:
    """Ask for a filter at no address: EFAULT says that a real one would be taken (prctl(2))."""
    if platform.machine() not in _MACHINES:
        raise OSError(errno.ENOSYS, "no list of calls for this machine")
    try:
        _prctl(_SET_SECCOMP, _FILTER_MODE)
    except OSError as error:
        if error.errno != errno.EFAULT:
            raise


def _seccomp() -> None:
    _check_seccomp()
    program = ctypes.create_string_buffer(_FILTER)
    header = struct.pack("@HP", len(_FILTER) // 8, ctypes.addressof(program))  # struct sock_fprog
    _checked(_libc.prctl(_SET_SECCOMP, ctypes.c_ulong(_FILTER_MODE), header))


def _filter(machine: str) -> bytes:
    """Assemble the filter: struct sock_filter {code, jump if true, jump if false, operand}, jumps counted forward."""
    audit, column = _MACHINES[machine]
    calls = [numbers[column] for numbers in _CALLS.values()]
    mmap, mprotect = (numbers[column] for numbers in _MAPPING_CALLS.values())
    count = len(calls)
    steps = [
        (_LOAD, 0, 0, _MACHINE),
        (_IF_EQUAL, 1, 0, audit),
        (_RETURN, 0, 0, _END),
        (_LOAD, 0, 0, _CALL),
        (_IF_EQUAL, 1, 0, mmap),
        (_IF_EQUAL, 0, 2, mprotect),
        (_LOAD, 0, 0, _THIRD_ARGUMENT),
        (_IF_ANY_BIT, count, count + 1, PROT_EXEC),
        *((_IF_EQUAL, count - index, 0, call) for index, call in enumerate(calls)),
        (_RETURN, 0, 0, _REFUSE),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


_FILTER = _filter(platform.machine()) if platform.machine() in _MACHINES else b""
