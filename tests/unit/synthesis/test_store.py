"""A name in a store shows a whole file or none."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import uuid
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from services.cine.errors import ConfigError, StorageError
from services.synthesis.store import Store


@pytest.fixture(params=["folder", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "out") if request.param == "folder" else f"memory://{uuid.uuid4().hex}/out"


def test_files_are_there_with_their_sizes_until_they_are_removed(url: str) -> None:
    store = Store(url)
    assert store.sizes("job") == {}
    store.put("job/00000/a.png", b"abc")
    store.put("job/b.json", b"x")
    store.put("job/b.json", b"12345")
    store.put("jobs/c", b"another's")
    assert store.sizes("job") == {"job/00000/a.png": 3, "job/b.json": 5}
    assert store.get("job/b.json") == b"12345"
    assert store.digest("job/b.json") == hashlib.sha256(b"12345").hexdigest()
    assert store.digest("job/nothing") == ""
    store.remove(["job/b.json"])
    assert store.sizes("job") == {"job/00000/a.png": 3}
    store.remove_folder("job")
    store.remove_folder("job")
    assert store.sizes("job") == {}
    assert store.get("jobs/c") == b"another's"


def test_a_file_is_named_as_people_find_it(tmp_path: Path) -> None:
    assert Store(str(tmp_path)).uri("job/m.json") == f"{tmp_path}/job/m.json"
    assert Store("memory://there/out/").uri("job/m.json") == "memory:///there/out/job/m.json"


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.put("job/a", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))  # as a disk that fills while it is written
    try:
        with pytest.raises(StorageError, match="cannot be used"):
            store.put("job/a", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert store.sizes("job") == {"job/a": 3}


def test_what_stands_in_the_way_is_an_error_of_the_place(tmp_path: Path) -> None:
    (tmp_path / "job").write_bytes(b"a file where a folder belongs")
    with pytest.raises(StorageError, match=os.strerror(errno.EEXIST)):
        Store(str(tmp_path)).put("job/a", b"x")


class Down(MemoryFileSystem):
    """An object store that cannot be reached, and says so as some of fsspec's packages do: with an error of its own."""

    protocol = "down"

    class UnreachableError(Exception):
        """Not an OSError."""

    def _fail(self, *arguments: object, **named: object) -> None:
        raise self.UnreachableError

    pipe_file = cat_file = find = rm_file = exists = _fail


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.put("job/a", b"x"),
        lambda store: store.get("job/a"),
        lambda store: store.digest("job/a"),
        lambda store: store.sizes("job"),
        lambda store: store.remove(["job/a"]),
        lambda store: store.remove_folder("job"),
    ],
    ids=["put", "get", "digest", "sizes", "remove", "remove_folder"],
)
def test_an_object_store_that_is_away_is_an_error_of_the_place(ask: Callable[[Store], object]) -> None:
    fsspec.register_implementation("down", Down, clobber=True)
    with pytest.raises(StorageError, match="UnreachableError") as caught:
        ask(Store("down://bucket/out"))
    assert caught.value.retryable


@pytest.mark.parametrize("wrong", ["nosuch://bucket/x", "s3://bucket/x"], ids=["unknown", "not installed"])
def test_a_url_that_nothing_opens_stops_the_start(wrong: str) -> None:
    with pytest.raises(ConfigError, match="fsspec"):
        Store(wrong)
