"""Of the upper layer, only whole PDUs of an allowed length are believed."""

from __future__ import annotations

import asyncio
import struct

import pytest
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ

from services.acquisition.upper_layer import (
    ABORT,
    CALLED_TITLE,
    CALLING_TITLE,
    MOST_OTHER_BYTES,
    TOO_MANY,
    Pdu,
    PduType,
    Rejection,
    UpperLayerError,
    read_pdu,
    titles,
)


def request(called: bytes = b"ECHOPLANE", calling: bytes = b"CART_1") -> bytes:
    """Write an association request, items left out."""
    body = struct.pack(">HH16s16s32x", 1, 0, called.ljust(16), calling.ljust(16))
    return struct.pack(">BxL", 1, len(body)) + body


async def read(data: bytes, most_data_bytes: int = 100) -> Pdu:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return await read_pdu(reader, most_data_bytes)


async def test_a_pdu_comes_whole_and_alone() -> None:
    assert await read(request() + b"more") == (PduType.ASSOCIATE_RQ, request())


@pytest.mark.parametrize("size", [0, 5, 6, 73])
async def test_one_that_is_cut_short_is_no_pdu(size: int) -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        await read(request()[:size])


@pytest.mark.parametrize(("number", "most"), [(4, 100), (1, MOST_OTHER_BYTES), (7, MOST_OTHER_BYTES)])
async def test_a_length_is_believed_up_to_its_limit(number: int, most: int) -> None:
    assert len((await read(struct.pack(">BxL", number, most) + bytes(most))).data) == most + 6
    for length in (most + 1, 2**32 - 1):
        with pytest.raises(UpperLayerError):
            await read(struct.pack(">BxL", number, length))


@pytest.mark.parametrize("number", [0, 8, ord("G"), 255])
async def test_what_is_no_dicom_ends_at_its_first_byte(number: int) -> None:
    with pytest.raises(UpperLayerError):
        await read(struct.pack(">BxL", number, 4) + bytes(4))


def test_titles_are_told_without_their_padding() -> None:
    assert titles(Pdu(PduType.ASSOCIATE_RQ, request())) == ("ECHOPLANE", "CART_1")
    assert titles(Pdu(PduType.ASSOCIATE_RQ, request(b"E\0", b"\xff"))) == ("E", "\ufffd")


@pytest.mark.parametrize("pdu", [Pdu(PduType.RELEASE_RQ, request()), Pdu(PduType.ASSOCIATE_RQ, request()[:73])])
def test_anything_else_is_no_request(pdu: Pdu) -> None:
    with pytest.raises(UpperLayerError):
        titles(pdu)


@pytest.mark.parametrize("rejection", [CALLING_TITLE, CALLED_TITLE, TOO_MANY])
def test_another_implementation_reads_a_rejection(rejection: Rejection) -> None:
    read_back = A_ASSOCIATE_RJ()
    read_back.decode(rejection.to_bytes())
    assert (read_back.result, read_back.source, read_back.reason_diagnostic) == rejection


def test_another_implementation_reads_an_abort() -> None:
    read_back = A_ABORT_RQ()
    read_back.decode(ABORT)
    assert read_back.source == 2
