"""What lies in an archive: found once, in order, without circles; read only where it is a file that stands still."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.archive.files import FileState, find_files, look, read_file
from services.cine.budget import ReadLimits
from services.cine.errors import LimitExceededError, Reason


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def names_of(*asked: Path, leave_out: tuple[Path, ...] = ()) -> list[str]:
    return [file.name for file in find_files(asked, leave_out)]


def test_a_folder_gives_what_is_below_it_in_order_without_hidden_files(tmp_path: Path) -> None:
    fill(tmp_path, "b/2", "b/1", "a.dcm", ".DS_Store", ".git/x", "b/.part")
    assert names_of(tmp_path) == ["a.dcm", "b/1", "b/2"]


def test_files_of_one_name_keep_apart(tmp_path: Path) -> None:
    fill(tmp_path, "s1/IM1", "s2/IM1")
    assert names_of(tmp_path / "s1", tmp_path / "s2") == ["s1/IM1", "s2/IM1"]
    assert names_of(tmp_path / "s1/IM1", tmp_path / "s2/IM1") == ["s1/IM1", "s2/IM1"]
    assert names_of(tmp_path / "s1/IM1") == ["IM1"]


def test_a_file_that_was_asked_for_twice_is_given_once(tmp_path: Path) -> None:
    fill(tmp_path, "s/a", "s/b")
    assert names_of(tmp_path / "s", tmp_path / "s/a", tmp_path / "s" / ".." / "s/b") == ["s/a", "s/b"]


def test_links_to_folders_are_not_followed_and_links_to_nothing_are_told(tmp_path: Path) -> None:
    fill(tmp_path, "s/a")
    (tmp_path / "s/loop").symlink_to("..")
    (tmp_path / "s/gone").symlink_to("nowhere")
    (tmp_path / "s/link").symlink_to("a")
    os.mkfifo(tmp_path / "s/pipe")
    assert names_of(tmp_path / "s") == ["a", "gone", "link"]


def test_our_own_output_is_no_part_of_the_archive(tmp_path: Path) -> None:
    fill(tmp_path, "a", "out/a.png", "views.csv")
    assert names_of(tmp_path, leave_out=(tmp_path / "out", tmp_path / "views.csv")) == ["a"]


def test_a_deep_tree_is_walked(tmp_path: Path) -> None:
    deep = Path(*["d"] * 400)
    fill(tmp_path, str(deep / "a"))
    assert names_of(tmp_path) == [str(deep / "a")]


def test_a_folder_that_cannot_be_opened_is_given_so_that_reading_says_why(tmp_path: Path) -> None:
    inside = os.open(tmp_path, os.O_RDONLY)
    for _ in range(20):  # longer than a path may be
        os.mkdir("d" * 250, dir_fd=inside)
        inside, above = os.open("d" * 250, os.O_RDONLY, dir_fd=inside), inside
        os.close(above)
    os.close(inside)
    (found,) = find_files([tmp_path])
    with pytest.raises(OSError, match="too long"):
        look(found.path)


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    assert read_file(tmp_path / "a", look(tmp_path / "a"), ReadLimits()) == b"a"


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(LimitExceededError) as caught:
        read_file(tmp_path / "huge", look(tmp_path / "huge"), ReadLimits())
    assert caught.value.reason is Reason.LIMIT_BYTES


@pytest.mark.parametrize("state", [FileState(2, 0), FileState(4, 0), FileState(3, 1)])
def test_a_file_that_changed_since_it_was_found_is_refused(tmp_path: Path, state: FileState) -> None:
    fill(tmp_path, "abc")
    os.utime(tmp_path / "abc", ns=(0, 0))
    assert read_file(tmp_path / "abc", FileState(3, 0), ReadLimits()) == b"abc"
    with pytest.raises(OSError, match="it changed"):
        read_file(tmp_path / "abc", state, ReadLimits())


def test_neither_a_pipe_nor_a_folder_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path / "pipe", "a pipe"), (tmp_path, "Is a directory")):
        with pytest.raises(OSError, match=words):
            read_file(path, look(path), ReadLimits())
