"""`echoplane synthesize` as a user runs it: the same batch here and from a gateway, and on after a kill."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from deploy.demo.gateway import running_gateway
from tests.builders import tiny_repository
from tests.integration.test_synthesis import settings_of
from tests.unit.models.copy_scenes import write_index
from tests.unit.models.tiny_synthesizer import STYLES, sha256_of, write_synthesizer

COMMAND = [str(Path(sys.executable).with_name("echoplane")), "synthesize"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = tiny_repository(tmp_path_factory.mktemp("models"))
    write_synthesizer(repository)
    return repository


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # where lists of batches that go to a URL are kept


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=100, check=False)


def made(*arguments: str) -> Path:
    """Run the verb, and give the folder it tells."""
    done = run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout)["manifest"]).parent


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def images_of(folder: Path) -> dict[str, bytes]:
    return {name: data for name, data in files_of(folder).items() if "/" in name}


def test_a_batch_is_a_folder_that_three_lines_load(models: Path, tmp_path: Path) -> None:
    wish = ["--per-view", "5", "--styles", ",".join(STYLES[:2]), "--model-repository", str(models)]
    folder = made(*wish, "--out", str(tmp_path))
    rows = list(csv.DictReader((folder / "labels.csv").read_text().splitlines()))
    images = np.stack([cv2.imread(f"{folder}/{row['file']}", cv2.IMREAD_GRAYSCALE) for row in rows])
    views = [row["view"] for row in rows]
    assert images.shape == (20, 112, 112)
    assert Counter(views) == {"A2C": 5, "A4C": 5, "PLAX": 5, "PSAX": 5}
    assert {row["style"] for row in rows} == set(STYLES[:2])
    sheet = cv2.imread(str(folder / "contact_sheet.png"))
    assert sheet is not None
    assert made(*wish, "--out", str(tmp_path)) == folder


def test_what_a_set_lacks_is_made(models: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("file,view\n" + "a,PLAX\n" * 6 + "b,A4C\n" * 4)
    folder = made("--balance", str(mine), "--model-repository", str(models), "--out", str(tmp_path))
    views = [row["view"] for row in csv.DictReader((folder / "labels.csv").read_text().splitlines())]
    assert Counter(views) == {"A2C": 6, "A4C": 2, "PSAX": 6}


def test_here_from_a_gateway_and_as_its_job_the_images_are_the_same(models: Path, tmp_path: Path) -> None:
    wish = ["--count", "A2C=7", "--count", f"PSAX:{STYLES[2]}=3", "--seed", "8"]
    here = made(*wish, "--model-repository", str(models), "--out", str(tmp_path / "here"))
    with running_gateway(tmp_path / "log", settings_of(models, tmp_path)) as gateway:
        there = made(*wish, "--server", gateway.address, "--out", str(tmp_path / "there"))
        job = made(*wish, "--server", gateway.address, "--job", "same")
        again = made(*wish, "--server", gateway.address, "--job", "same")
    assert images_of(here) == images_of(there) == images_of(job)
    assert job == again != there
    assert here.name == there.name


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_ended_goes_on_to_the_same_files(models: Path, tmp_path: Path, how: signal.Signals) -> None:
    wish = ["--per-view", "60", "--model-repository", str(models), "--threads", "1"]
    stopped = subprocess.Popen([*COMMAND, *wish, "--out", str(tmp_path / "a")], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60.0
    while len(list(tmp_path.glob("a/*/*/*.png"))) < 32 and time.monotonic() < deadline:
        time.sleep(0.01)
    stopped.send_signal(how)
    stopped.communicate()
    assert stopped.returncode == (130 if how is signal.SIGINT else -how)
    assert not list(tmp_path.glob("a/*/manifest.json"))
    whole = made(*wish, "--out", str(tmp_path / "a"))
    assert files_of(whole) == files_of(made(*wish, "--out", str(tmp_path / "b")))


@pytest.mark.parametrize(
    ("job", "words"), [([], "starts again"), (["--job", "left"], "the gateway goes on")], ids=["stream", "job"]
)
def test_whoever_stops_asking_a_gateway_hears_what_becomes_of_the_batch(
    models: Path, tmp_path: Path, job: list[str], words: str
) -> None:
    with running_gateway(tmp_path / "log", settings_of(models, tmp_path)) as gateway:
        wish = ["--per-view", "250", "--server", gateway.address, "--out", str(tmp_path / "out"), *job]
        asking = subprocess.Popen([*COMMAND, *wish], stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60.0
        while not list(tmp_path.glob("out/*/*/*.png")) and time.monotonic() < deadline:
            time.sleep(0.01)
        asking.send_signal(signal.SIGINT)
        _, said = asking.communicate(timeout=30)
    assert asking.returncode == 130
    assert words in said


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "--per-view"),
        (["--per-view", "1", "--count", "A2C=1"], 2, "--per-view"),
        (["--count", "A5C=1"], 2, "A5C"),
        (["--per-view", "1", "--styles", "loud"], 2, "loud"),
        (["--per-view", "1", "--job", "x"], 2, "--server"),
        (["--per-view", "1", "--copy-index", "no.npz"], 2, "no.npz"),
        (["--per-view", "1", "--copy-index", "no.npz", "--server", "127.0.0.1:1"], 2, "SYNTHESIS_COPY_INDEX"),
        (["--per-view", "4000000000"], 2, "at most 100000"),
        (["--per-view", "4000000000", "--server", "127.0.0.1:1"], 2, "at most 4294967295"),
        (["--per-view", "1", "--server", "127.0.0.1:1"], 1, "no gateway"),
    ],
)
def test_what_cannot_be_done_says_why(models: Path, arguments: list[str], code: int, words: str) -> None:
    done = run(*arguments, "--model-repository", str(models), "--out", str(models / "out"))
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_repository_without_a_synthesizer_says_what_to_do(tmp_path: Path) -> None:
    done = run("--per-view", "1", "--model-repository", str(tmp_path), "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "echo_synthesizer" in done.stderr


@pytest.mark.parametrize("is_url", [False, True])
def test_what_was_deleted_of_a_batch_is_made_again(models: Path, tmp_path: Path, is_url: bool) -> None:
    out = f"file://{tmp_path}/out" if is_url else str(tmp_path / "out")
    wish = ["--per-view", "2", "--model-repository", str(models), "--out", out]
    folder = made(*wish)
    whole = files_of(folder)
    next(folder.glob("*/*.png")).unlink()
    (folder / "manifest.json").unlink()
    assert files_of(made(*wish)) == whole
    shutil.rmtree(folder)
    assert files_of(made(*wish)) == whole


def test_a_batch_goes_to_any_place_that_fsspec_knows(models: Path, tmp_path: Path) -> None:
    folder = made("--per-view", "1", "--model-repository", str(models), "--out", f"file://{tmp_path}/out")
    assert len(images_of(folder)) == 4


def test_a_cluster_makes_the_same_batch_to_the_byte(models: Path, tmp_path: Path) -> None:
    write_index(tmp_path / "index.npz", sha256_of(models))
    wish = ["--per-view", "40", "--model-repository", str(models), "--copy-index", str(tmp_path / "index.npz")]
    spread = made(*wish, "--engine", "ray", "--out", str(tmp_path / "ray"))
    assert files_of(spread) == files_of(made(*wish, "--out", str(tmp_path / "here")))
    assert json.loads((spread / "manifest.json").read_text())["copy_filter"]["replaced"]


def test_an_own_copy_index_filters_here_as_it_does_in_a_gateway_and_its_record_stays(
    models: Path, tmp_path: Path
) -> None:
    index, record, wish = tmp_path / "index.npz", tmp_path / "record.jsonl", ["--per-view", "9"]
    name = write_index(index, sha256_of(models))
    own = ["--model-repository", str(models), "--copy-index", str(index), "--copy-record", str(record)]
    here = made(*wish, *own, "--out", str(tmp_path / "here"))
    with running_gateway(tmp_path / "log", settings_of(models, tmp_path, SYNTHESIS_COPY_INDEX=str(index))) as gateway:
        there = made(*wish, "--server", gateway.address, "--out", str(tmp_path / "there"))
        job = made(*wish, "--server", gateway.address, "--job", "filtered")
    manifest = json.loads((here / "manifest.json").read_text())
    replaced = sum(image["replaced"] for image in manifest["images"])
    assert manifest["copy_filter"] == {"index": name, "replaced": replaced}
    assert replaced
    assert manifest["warnings"] == []
    assert len(record.read_text().splitlines()) == manifest["total"] + replaced
    assert files_of(here) == files_of(there)
    assert files_of(here).items() - files_of(job).items() == {
        ("contact_sheet.png", files_of(here)["contact_sheet.png"])
    }
    unfiltered = made(*wish, "--model-repository", str(models), "--out", str(tmp_path / "here"))
    assert unfiltered != here
