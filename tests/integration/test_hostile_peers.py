"""Peers that were let in, or nearly, and mean no good: what they send is refused, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID, ComprehensiveSRStorage, CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.dsutils import encode

from services.acquisition.guard import Guard, GuardLimits
from services.acquisition.store_scp import CLASSES
from tests.integration.nodes import Node, echoscu, running_node, wait_for
from tests.integration.test_node_guard import associated, connected, rest_of

pytestmark = pytest.mark.alone

NOT_THAT_OBJECT, CANNOT_UNDERSTAND = 0xA900, 0xC000
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
APPLICATION = struct.pack(">BxH", 0x10, 21) + b"1.2.840.10008.3.1.1.1"
USER = struct.pack(">BxHBxHL", 0x50, 8, 0x51, 4, 16384)
DEADLINE_S = 6.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    settings = {"IDLE_TIMEOUT_S": "2", "REQUEST_TIMEOUT_S": "2", "ASSOCIATION_TIMEOUT_S": "20"}
    with running_node(tmp_path_factory.mktemp("node"), settings) as running:
        yield running


def context(number: int, syntaxes: int = 1) -> bytes:
    """Propose C-ECHO in so many transfer syntaxes."""
    abstract = struct.pack(">BxH", 0x30, 17) + b"1.2.840.10008.1.1"
    items = abstract + (struct.pack(">BxH", 0x40, 17) + b"1.2.840.10008.1.2") * syntaxes
    return struct.pack(">BxHBxxx", 0x20, 4 + len(items), number % 256) + items


def request(items: bytes) -> bytes:
    return struct.pack(">BxLHH16s16s32x", 1, 68 + len(items), 1, 0, b"ECHOPLANE".ljust(16), b"CART".ljust(16)) + items


@pytest.mark.parametrize(
    "items",
    [
        APPLICATION + b"".join(context(2 * number + 1) for number in range(5_000)) + USER,
        APPLICATION + b"".join(context(2 * number + 1, 3_000) for number in range(4)) + USER,
        APPLICATION + struct.pack(">BxHBxxx", 0x20, 4, 1) * 30_000 + USER,
        APPLICATION + struct.pack(">BxHBxxx", 0x20, 4, 1) + USER,
        struct.pack(">BxH", 0x77, 0) * 60_000,
        APPLICATION + context(1) + struct.pack(">BxH", 0x50, 60_000) + struct.pack(">BxHHH", 0x54, 4, 0, 0) * 7_500,
        APPLICATION + struct.pack(">BxH", 0x20, 60_000) + USER,
        APPLICATION,
        b"",
    ],
    ids=[
        *("5,000 contexts", "12,000 syntaxes", "30,000 empty contexts", "an empty context", "60,000 unknown items"),
        *("7,500 roles", "a length beyond the end", "no context", "nothing"),
    ],
)
def test_a_request_of_absurd_items_is_answered_or_ended_in_time(node: Node, items: bytes) -> None:
    with connected(node, request(items)[: 256 * 1024]) as peer:
        assert echoscu(node)
        begun_s = time.monotonic()
        rest_of(peer)
        assert time.monotonic() - begun_s < DEADLINE_S
    assert echoscu(node)


def test_a_message_that_comes_byte_by_byte_ends_with_the_idle_time(node: Node) -> None:
    begun_s = time.monotonic()
    with associated(node) as peer, suppress(ConnectionError):
        peer.sendall(struct.pack(">BxL", 4, 1_000))
        while time.monotonic() - begun_s < 3 * DEADLINE_S:
            peer.sendall(b"\0")
            time.sleep(0.2)
    assert time.monotonic() - begun_s < DEADLINE_S


async def test_one_that_never_reads_leaves_nothing_behind() -> None:
    def flood(connection: socket.socket, site: str) -> None:
        def send() -> None:
            with connection, suppress(OSError):
                connection.sendall(bytes(2**26))

        threading.Thread(target=send).start()

    guard = Guard("ECHOPLANE", lambda connection, title: "", flood, GuardLimits(idle_timeout_s=0.2))
    port = await guard.open("127.0.0.1", 0)
    before = descriptors()
    with socket.create_connection(("127.0.0.1", port)) as peer:
        peer.sendall(request(b""))
        await until(lambda: descriptors() > before + 2)  # both ends of this, at least one beyond
        await until(lambda: descriptors() == before + 1)
    await guard.close(0.0)


def descriptors() -> int:
    """Count what this process holds open."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.05)


def status_of(node: Node, uid: str, dataset: bytes, sop_class: str = CLASSES[0]) -> int | None:
    """Send a C-STORE that says what it likes; None where it gets no answer."""
    entity = AE("CART")
    entity.dimse_timeout = DEADLINE_S
    entity.add_requested_context(CLASSES[0], ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", node.port, ae_title="ECHOPLANE")
    connection = association.dul.socket.socket  # pynetdicom forgets one that the peer ends without closing it
    asked = C_STORE()
    asked.MessageID, asked.Priority, asked.DataSet = 1, 2, BytesIO(dataset)
    asked._affected_sop_class_uid, asked._affected_sop_instance_uid = UID(sop_class), UID(uid)
    association._reactor_checkpoint.clear()
    wait_for(lambda: association._is_paused, DEADLINE_S)
    try:
        association.dimse.send_msg(asked, association.accepted_contexts[0].context_id)
        _, answer = association.dimse.get_msg(block=True)
    finally:
        association._reactor_checkpoint.set()
        association.abort()
        connection.close()
    return None if answer is None else int(answer.Status)


def named(uid: str, sop_class: str = CLASSES[0]) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, UID(uid)
    return encode(dataset, False, True) or b""


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
@pytest.mark.parametrize(
    ("said", "dataset", "status"),
    [
        ("1.2.3", named("1.2.4"), NOT_THAT_OBJECT),
        ("1.2.3", named("1.2.3", CLASSES[1]), NOT_THAT_OBJECT),
        ("../../../evil", named("1.2.3"), NOT_THAT_OBJECT),
        ("../../../evil", named("../../../evil"), CANNOT_UNDERSTAND),
        ("/etc/passwd", named("/etc/passwd"), CANNOT_UNDERSTAND),
        ("1.2.\0003", named("1.2.3"), NOT_THAT_OBJECT),
        ("1.02.3", named("1.02.3"), CANNOT_UNDERSTAND),
        ("1.2.3", b"no data set", CANNOT_UNDERSTAND),
        ("1.2.3", b"\x08\x00\x18\x00UI" + b"\xff\xff", CANNOT_UNDERSTAND),
        ("", named("1.2.3"), None),
        ("1." * 40 + "1", named("1.2.3"), None),
    ],
)
def test_an_object_that_is_not_what_it_says_is_refused(
    node: Node, said: str, dataset: bytes, status: int | None
) -> None:
    before = node.objects()
    assert status_of(node, said, dataset) == status
    assert node.objects() == before
    assert not list(node.inbox.rglob("*evil*"))
    if status is not None:
        assert list((node.inbox / "incoming").iterdir()) == []


def test_an_object_that_is_what_it_says_is_kept(node: Node) -> None:
    before = len(node.objects())
    assert status_of(node, "1.2.3", named("1.2.3")) == 0
    assert len(node.objects()) == before + 1


def test_a_class_that_is_not_taken_is_refused_by_its_name(node: Node) -> None:
    entity = AE("CART")
    for sop_class in (CLASSES[0], CTImageStorage, ComprehensiveSRStorage):
        entity.add_requested_context(sop_class, ExplicitVRLittleEndian)
    association = entity.associate("127.0.0.1", node.port, ae_title="ECHOPLANE")
    refused = {each.abstract_syntax: each.result for each in association.rejected_contexts}
    association.release()
    assert refused == dict.fromkeys((CTImageStorage, ComprehensiveSRStorage), ABSTRACT_SYNTAX_NOT_SUPPORTED)
