"""The filter of calls, run by a small machine of our own: also for the processor that these tests do not run on."""

from __future__ import annotations

import errno
import struct

import pytest

from services.runtime import confinement

ALLOWED, KILLED, REFUSED = 0x7FFF_0000, 0x8000_0000, 0x0005_0000 | errno.ENOSYS
AUDIT = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
MAPPING = {"x86_64": (9, 10), "aarch64": (222, 226)}
DANGEROUS = {
    "x86_64": {"open": 2, "socket": 41, "connect": 42, "clone": 56, "fork": 57, "execve": 59, "kill": 62, "ptrace": 101}
    | {"tgkill": 234, "openat": 257, "prlimit64": 302, "memfd_create": 319, "io_uring_setup": 425, "clone3": 435},
    "aarch64": {"openat": 56, "ptrace": 117, "kill": 129, "tgkill": 131, "socket": 198, "connect": 203, "clone": 220}
    | {"execve": 221, "prlimit64": 261, "memfd_create": 279, "io_uring_setup": 425, "clone3": 435},
}


def judge(program: bytes, audit: int, call: int, third: int = 0) -> int:
    """Run a classic BPF program (linux/filter.h) over struct seccomp_data."""
    data = struct.pack("=iIQ6Q", call, audit, 0, 0, 0, third, 0, 0, 0)
    steps = list(struct.iter_unpack("=HBBI", program))
    at = held = 0
    while True:
        code, if_true, if_false, operand = steps[at]
        at += 1
        if code == 0x06:
            return int(operand)
        if code == 0x20:
            (held,) = struct.unpack_from("=I", data, operand)
        else:
            is_so = held == operand if code == 0x15 else bool(held & operand)
            at += if_true if is_so else if_false


@pytest.mark.parametrize("machine", AUDIT)
def test_what_is_listed_is_allowed_and_nothing_else(machine: str) -> None:
    program = confinement._filter(machine)
    column = list(AUDIT).index(machine)
    listed = {numbers[column] for numbers in confinement._CALLS.values()} | {*MAPPING[machine]}
    for call in range(600):
        assert judge(program, AUDIT[machine], call) == (ALLOWED if call in listed else REFUSED)


@pytest.mark.parametrize("machine", AUDIT)
def test_what_could_leave_is_refused(machine: str) -> None:
    for name, call in DANGEROUS[machine].items():
        assert judge(confinement._filter(machine), AUDIT[machine], call) == REFUSED, name


@pytest.mark.parametrize("machine", AUDIT)
@pytest.mark.parametrize(("protection", "verdict"), [(0, ALLOWED), (3, ALLOWED), (4, REFUSED), (7, REFUSED)])
def test_memory_that_can_be_run_is_refused(machine: str, protection: int, verdict: int) -> None:
    for call in MAPPING[machine]:
        assert judge(confinement._filter(machine), AUDIT[machine], call, protection) == verdict


@pytest.mark.parametrize("machine", AUDIT)
def test_a_call_in_the_tongue_of_another_machine_ends_the_process(machine: str) -> None:
    i386 = 0x4000_0003
    assert judge(confinement._filter(machine), i386, 1) == KILLED


def test_the_second_tongue_of_x86_64_is_refused() -> None:
    for call in confinement._CALLS.values():
        assert judge(confinement._filter("x86_64"), AUDIT["x86_64"], 0x4000_0000 | call[0]) == REFUSED
