"""Where files go: a folder or an object store, by URL (fsspec). A name shows a whole file or none."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from services.cine.errors import ConfigError, StorageError

_PART = ".part"
"""Ends the hidden name under which a local file is written before it gets its own."""


class Store:
    """A folder of files.

    Args:
        url: a path, or anything that fsspec opens, for example "s3://bucket/folder" (with s3fs installed).

    Raises:
        ConfigError: nothing here opens that kind of URL.
    """

    def __init__(self, url: str) -> None:
        try:
            filesystem, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise ConfigError(
                found="a place for images that cannot be opened",
                expected="a folder, or a URL whose fsspec package is installed",
                advice=f"{error}.",
            ) from error
        self._files: Any = filesystem
        self._root = str(root).rstrip("/")
        self._is_local = isinstance(filesystem, LocalFileSystem)
        self._errors = OSError if self._is_local else Exception  # fsspec's packages share no other base

    def uri(self, name: str) -> str:
        """Name a file for people and programs: a path for a folder, else a URL."""
        path = f"{self._root}/{name}"
        return path if self._is_local else str(self._files.unstrip_protocol(path))

    def put(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all, over one of that name.

        An object store shows an object once all of it has arrived; a folder gets a hidden part first.

        Raises:
            StorageError: it cannot be written.
        """
        path = f"{self._root}/{name}"
        with self._translated():
            if self._is_local:
                _replace(Path(path), data)
            else:
                self._files.pipe_file(path, data)

    def get(self, name: str) -> bytes:
        """Read a file.

        Raises:
            StorageError: it cannot be read.
        """
        with self._translated():
            return bytes(self._files.cat_file(f"{self._root}/{name}"))

    def digest(self, name: str) -> str:
        """Give the SHA-256 of a file, hexadecimal; empty where there is none of that name.

        Raises:
            StorageError: it cannot be read.
        """
        with self._translated(), suppress(FileNotFoundError):
            return hashlib.sha256(self._files.cat_file(f"{self._root}/{name}")).hexdigest()
        return ""

    def sizes(self, folder: str) -> dict[str, int]:
        """List all files below a folder with their sizes, bytes; names as for `put`. No folder, no files.

        Raises:
            StorageError: it cannot be listed.
        """
        with self._translated():
            self._files.invalidate_cache()
            found = self._files.find(f"{self._root}/{folder}", detail=True)
        return {path[len(self._root) + 1 :]: int(each["size"]) for path, each in found.items()}

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that are there.

        Raises:
            StorageError: one cannot be removed.
        """
        paths = [f"{self._root}/{name}" for name in names]
        with self._translated():
            for path in paths:
                self._files.rm_file(path)

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with all that is in it, if it is there.

        Raises:
            StorageError: it cannot be removed.
        """
        path = f"{self._root}/{folder}"
        with self._translated():
            self._files.invalidate_cache()
            if self._files.exists(path):
                self._files.rm(path, recursive=True)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what goes wrong in a store into our error."""
        try:
            yield
        except self._errors as error:
            found = getattr(error, "strerror", None) or type(error).__name__
            raise StorageError(
                found=f"a place for images that cannot be used ({found})",
                expected="room to write, and the right to",
                advice="Make room, or check the place's rights; jobs go on by themselves.",
            ) from error


def _replace(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{_PART}")  # two writers of one file keep apart
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        part.unlink(missing_ok=True)  # a full disk must not keep it
        raise
    part.replace(path)
