"""Video that DICOM encapsulates (PS3.5 sections 8.2.5 to 8.2.8), as bare streams and in their containers."""

from __future__ import annotations

import numpy as np
import pytest

from services.cine.budget import ReadLimits
from services.cine.errors import CineUnreadableError, CineUnsupportedError, LimitExceededError, Reason
from services.cine.media.video import MOST_LEADING_FRAMES, elementary_colour_frames, read_elementary
from tests.builders import avi_bytes, fan_frames, mp4_bytes, video_bytes

FRAMES = fan_frames(40, 64, 96)
STREAMS = {
    "MPEG-2": video_bytes(
        FRAMES, "mpeg2video", "mpeg2video", "yuv420p", qscale="2", flags="qscale", global_quality="236"
    ),
    "MPEG-2 program": video_bytes(FRAMES, "vob", "mpeg2video", "yuv420p", b="4M"),
    "MPEG-2 transport": video_bytes(FRAMES, "mpegts", "mpeg2video", "yuv420p", b="4M"),
    "H.264": video_bytes(FRAMES, "h264", "libx264", "yuv420p", crf="8"),
    "H.264 transport": video_bytes(FRAMES, "mpegts", "libx264", "yuv420p", crf="8"),
    "H.264 MP4": video_bytes(FRAMES, "mp4", "libx264", "yuv420p", crf="8"),
    "HEVC": video_bytes(FRAMES, "hevc", "libx265", "yuv420p", crf="8"),
    "HEVC transport": video_bytes(FRAMES, "mpegts", "libx265", "yuv420p", crf="8"),
    "HEVC MP4": video_bytes(FRAMES, "mp4", "libx265", "yuv420p", crf="8"),
}


@pytest.mark.parametrize("name", STREAMS)
def test_all_frames_are_decoded_in_order(name: str) -> None:
    store = read_elementary(STREAMS[name], ReadLimits(), 40, 64, 96)
    assert (store.frame_count, store.rows, store.columns) == (40, 64, 96)
    frames = np.stack([store.grey(index, 1) for index in range(40)]).astype(int)
    assert np.abs(frames - FRAMES).mean() < 3
    assert np.abs(frames - FRAMES[::-1]).mean() > 3
    assert not store.damaged


@pytest.mark.parametrize("name", ["MPEG-2 program", "H.264 MP4", "HEVC"])
def test_the_same_frames_come_in_colour_one_at_a_time(name: str) -> None:
    colour = np.stack(list(elementary_colour_frames(STREAMS[name], ReadLimits())))
    store = read_elementary(STREAMS[name], ReadLimits(), 40, 64, 96)
    assert colour.shape == (40, 64, 96, 3)
    np.testing.assert_array_equal(colour[10], store.colour(10, 1))


def test_the_header_may_count_a_few_frames_more_or_less() -> None:
    for claimed in (40 + MOST_LEADING_FRAMES, 40, 1):
        assert read_elementary(STREAMS["H.264"], ReadLimits(), claimed, 64, 96).frame_count == 40


@pytest.mark.parametrize("claimed", [41 + MOST_LEADING_FRAMES, 500])
def test_a_stream_that_is_much_shorter_than_its_header_is_damaged(claimed: int) -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read_elementary(STREAMS["H.264"], ReadLimits(), claimed, 64, 96)
    assert caught.value.reason is Reason.PIXELS_DAMAGED


@pytest.mark.parametrize("name", STREAMS)
def test_half_a_stream_is_damaged(name: str) -> None:
    data = STREAMS[name]
    with pytest.raises(CineUnreadableError):
        read_elementary(data[: len(data) // 3], ReadLimits(), 40, 64, 96)


@pytest.mark.parametrize("shape", [(64, 98), (32, 48), (96, 64)])
def test_another_frame_size_than_the_headers_is_damage(shape: tuple[int, int]) -> None:
    with pytest.raises(CineUnreadableError) as caught:
        read_elementary(STREAMS["HEVC"], ReadLimits(), 40, *shape)
    assert caught.value.reason is Reason.PIXELS_DAMAGED


@pytest.mark.parametrize("name", ["H.264", "H.264 MP4", "MPEG-2"])
def test_frames_that_the_decoder_had_to_make_up_are_named(name: str) -> None:
    data = bytearray(STREAMS[name])
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(range(100, 140))
    store = read_elementary(bytes(data), ReadLimits(), 40, 64, 96)
    assert store.damaged
    assert all(10 < index < 30 for index in store.damaged)


@pytest.mark.parametrize("data", [b"", bytes(1000), avi_bytes(FRAMES[:2])])
def test_what_is_no_such_stream_is_unsupported(data: bytes) -> None:
    with pytest.raises(CineUnsupportedError) as caught:
        read_elementary(data, ReadLimits(), 40, 64, 96)
    assert caught.value.reason is Reason.CODEC_UNSUPPORTED


def test_a_codec_that_dicom_does_not_name_is_unsupported() -> None:
    with pytest.raises(CineUnsupportedError, match="mpeg4") as caught:
        read_elementary(mp4_bytes(FRAMES, "mpeg4"), ReadLimits(), 40, 64, 96)
    assert caught.value.reason is Reason.CODEC_UNSUPPORTED


def test_limits_hold_for_the_header_and_for_the_stream() -> None:
    for claimed, limits in ((2_001, ReadLimits()), (1, ReadLimits(max_frames=39))):
        with pytest.raises(LimitExceededError) as caught:
            read_elementary(STREAMS["MPEG-2"], limits, claimed, 64, 96)
        assert caught.value.reason is Reason.LIMIT_FRAMES
