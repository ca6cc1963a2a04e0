"""As much of DICOM's upper layer as one must understand to let a peer in or not (PS3.8 section 9.3)."""

from __future__ import annotations

import asyncio
import struct
from enum import IntEnum
from typing import NamedTuple

_HEADER = struct.Struct(">BxL")
_TITLES = slice(10, 42)
_SHORTEST_REQUEST_BYTES = 74
"""An A-ASSOCIATE-RQ up to its first item."""

MOST_OTHER_BYTES = 256 * 1024
"""Of a PDU that carries no data: 128 contexts with all transfer syntaxes there are need half of it."""


class PduType(IntEnum):
    """What a protocol data unit is."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


class UpperLayerError(Exception):
    """A peer that does not speak the upper layer, or sends more at once than it was allowed."""


class Pdu(NamedTuple):
    """A protocol data unit, header included."""

    type: PduType
    data: bytes


async def read_pdu(reader: asyncio.StreamReader, most_data_bytes: int) -> Pdu:
    """Read one PDU; its length is believed only up to a limit.

    Args:
        reader: from the peer.
        most_data_bytes: of a P-DATA-TF, its header left out; what the peer was told as the maximum.

    Raises:
        UpperLayerError: of no known type, or over the limit.
        asyncio.IncompleteReadError: the peer has gone.
    """
    header = await reader.readexactly(_HEADER.size)
    number, length = _HEADER.unpack(header)
    if number not in set(PduType):
        raise UpperLayerError
    if length > (most_data_bytes if number == PduType.DATA else MOST_OTHER_BYTES):
        raise UpperLayerError
    return Pdu(PduType(number), header + await reader.readexactly(length))


def titles(request: Pdu) -> tuple[str, str]:
    """Give the called and the calling title of an association request (PS3.8 table 9-11).

    Raises:
        UpperLayerError: it is no such request.
    """
    if request.type is not PduType.ASSOCIATE_RQ or len(request.data) < _SHORTEST_REQUEST_BYTES:
        raise UpperLayerError
    both = request.data[_TITLES].decode("ascii", "replace")
    return both[:16].strip("\0 "), both[16:].strip("\0 ")


class Rejection(NamedTuple):
    """Why a peer is not let in: result, source and reason (PS3.8 table 9-21)."""

    result: int
    source: int
    reason: int

    def to_bytes(self) -> bytes:
        """Write it as an A-ASSOCIATE-RJ."""
        return _HEADER.pack(PduType.ASSOCIATE_RJ, 4) + bytes([0, *self])


CALLING_TITLE = Rejection(1, 1, 3)
CALLED_TITLE = Rejection(1, 1, 7)
TOO_MANY = Rejection(2, 3, 2)
"""Transient: the local limit of associations."""

ABORT = _HEADER.pack(PduType.ABORT, 4) + bytes([0, 0, 2, 0])
"""An A-ABORT of the service provider, with no reason given (PS3.8 table 9-26)."""
