"""A set on disk: the same bytes however often it was begun, and never half of it mistaken for whole."""

import csv
import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.cine.errors import ConfigError
from training.simulator.sets.commands import MANIFEST_COLUMNS, SetOrder, pick_style, plan, simulate_set
from training.simulator.sets.journal import MANIFEST_NAME, ORDER_NAME, PARTIAL_NAME, open_journal
from training.simulator.sets.workers import run_in_order, worthwhile
from training.simulator.styles import STYLES
from training.simulator.views.names import VIEW_CLASSES, VIEWS

FIVE = (*((view, 18.0) for view in VIEWS), ("OTHER", 28.0))


def order(out: Path) -> SetOrder:
    return SetOrder(1, out, "npz", 16, seed=2, variant="still", styles=("camus",))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / MANIFEST_NAME).read_text().splitlines()))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "finished"
    simulate_set(order(folder), workers=1)
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def test_the_manifest_tells_of_every_file(finished: Path) -> None:
    told = rows(finished)
    assert tuple(told[0]) == MANIFEST_COLUMNS
    assert [row["view"] for row in told] == list(VIEWS)
    assert {path.name for path in finished.iterdir()} == {row["path"] for row in told} | {MANIFEST_NAME, ORDER_NAME}
    for row in told:
        file = finished / row["path"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == row["sha256"]
        meta = json.loads(str(np.load(file)["meta"]))
        assert (meta["view"], meta["plane"], meta["seed"]) == (row["view"], row["plane"], int(row["subject"]))
        assert sum(float(row[f"share_{view.lower()}"]) for view in VIEW_CLASSES) == pytest.approx(1, abs=1e-3)


def test_archives_bear_no_time_of_day(finished: Path) -> None:
    for path in finished.glob("*.npz"):
        with zipfile.ZipFile(path) as archive:
            assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_finished_set_is_left_alone(copy: Path, finished: Path) -> None:
    times = {path.name: path.stat().st_mtime_ns for path in copy.glob("*.npz")}
    told = simulate_set(order(copy), workers=1)
    assert (told.cines, told.found) == (4, 4)
    assert {path.name: path.stat().st_mtime_ns for path in copy.glob("*.npz")} == times
    assert contents(copy) == contents(finished)


def test_what_is_missing_or_damaged_is_made_again(copy: Path, finished: Path) -> None:
    first, second, third, _ = sorted(copy.glob("*.npz"))
    first.write_bytes(first.read_bytes()[:100])
    second.unlink()
    third.write_bytes(third.read_bytes().replace(b"\x00", b"\x01", 1))
    simulate_set(order(copy), workers=1)
    assert contents(copy) == contents(finished)


@pytest.mark.parametrize("torn", [b"000002_PLAX.npz,2,PL", b"\0\0\n000009_A2C.npz,9\n"])
def test_a_killed_run_goes_on_after_its_last_whole_line(copy: Path, finished: Path, torn: bytes) -> None:
    lines = (copy / MANIFEST_NAME).read_bytes().splitlines(keepends=True)
    (copy / MANIFEST_NAME).unlink()
    (copy / PARTIAL_NAME).write_bytes(b"".join(lines[:3]) + torn)
    (copy / "000002_PSAX.npz").unlink()
    (copy / ".half-000002_PLAX.npz").write_bytes(b"PK")
    assert simulate_set(order(copy), workers=1).found == 2
    assert contents(copy) == contents(finished)


def test_a_run_killed_before_its_first_line_begins_anew(copy: Path, finished: Path) -> None:
    (copy / MANIFEST_NAME).unlink()
    for path in copy.glob("*.npz"):
        path.unlink()
    (copy / PARTIAL_NAME).write_bytes(b"path,sub")
    assert simulate_set(order(copy), workers=1).found == 0
    assert contents(copy) == contents(finished)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"size_px": 32}, "size_px"),
        ({"with_truth": True}, "with_truth"),
        ({"subjects": 2, "seed": 1}, "seed, subjects"),
        ({"shares": FIVE}, "shares"),
        ({"styles": ()}, "styles"),
        ({"plane": "a4c"}, "plane"),
    ],
)
def test_a_set_is_not_continued_with_other_settings(copy: Path, finished: Path, change: dict, named: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError, match=named):
        simulate_set(replace(order(copy), **change), workers=1)
    assert contents(copy) == contents(finished)


def test_a_set_is_not_continued_by_another_simulator(copy: Path) -> None:
    terms = json.loads((copy / ORDER_NAME).read_text())
    (copy / ORDER_NAME).write_text(json.dumps({**terms, "simulator": "0123456789abcdef"}))
    with pytest.raises(ConfigError, match="simulator"):
        simulate_set(order(copy), workers=1)
    (copy / ORDER_NAME).write_text("{")
    with pytest.raises(ConfigError, match="not JSON"):
        simulate_set(order(copy), workers=1)


def test_a_manifest_of_unknown_origin_is_not_touched(copy: Path) -> None:
    (copy / ORDER_NAME).unlink()
    before = contents(copy)
    with pytest.raises(ConfigError, match=ORDER_NAME):
        simulate_set(order(copy), workers=1)
    assert contents(copy) == before


def test_two_runs_do_not_write_to_one_folder(copy: Path) -> None:
    terms = json.loads((copy / ORDER_NAME).read_text())
    with open_journal(copy, terms, MANIFEST_COLUMNS), pytest.raises(ConfigError, match="another run"):
        simulate_set(order(copy), workers=1)
    simulate_set(order(copy), workers=1)


def test_a_file_that_cannot_be_made_again_alike_is_told(copy: Path) -> None:
    manifest = copy / MANIFEST_NAME
    digest = rows(copy)[1]["sha256"]
    manifest.write_text(manifest.read_text().replace(digest, "0" * 64))
    with pytest.raises(RuntimeError, match="differ"):
        simulate_set(order(copy), workers=1)


def test_a_video_has_its_truth_beside_it(tmp_path: Path) -> None:
    simulate_set(replace(order(tmp_path), format="dicom", plane="a4c", with_truth=True), workers=1)
    (row,) = rows(tmp_path)
    truth = tmp_path / "000002_A4C.truth.npz"
    assert hashlib.sha256(truth.read_bytes()).hexdigest() == row["truth_sha256"]
    assert np.load(truth)["structures"].shape == (1, 16, 16)


def test_views_come_in_the_shares_that_were_asked_for(tmp_path: Path) -> None:
    jobs = list(plan(replace(order(tmp_path), subjects=600, shares=FIVE)))
    counts = {view: sum(job.view == view for job in jobs) for view in VIEW_CLASSES}
    assert counts["OTHER"] == 600
    for view in VIEWS:
        assert counts[view] == pytest.approx(600 * 18 / 28, abs=50)
    assert len({(job.subject, job.view) for job in jobs}) == len(jobs)
    fewer = list(plan(replace(order(tmp_path), subjects=50, shares=FIVE)))
    assert [(job.subject, job.view, job.style) for job in fewer] == [
        (job.subject, job.view, job.style) for job in jobs if job.subject < 52
    ]


@pytest.mark.parametrize(("plane", "view"), [("psax_aortic", "PSAX"), ("a5c", "OTHER"), ("sweep_a4c_a2c", "OTHER")])
def test_a_plane_is_shown_once_of_every_heart(plane: str, view: str, tmp_path: Path) -> None:
    jobs = list(plan(replace(order(tmp_path), subjects=3, plane=plane)))
    assert [(job.subject, job.view) for job in jobs] == [(2, view), (3, view), (4, view)]


def test_styles_of_a_set_do_not_follow_the_view() -> None:
    for view in VIEW_CLASSES:
        picked = [pick_style(subject, view) for subject in range(60 * len(STYLES))]
        assert all(30 < picked.count(style) < 95 for style in STYLES)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": "gif"}, "npz"),
        ({"variant": "stereo"}, "b_mode"),
        ({"styles": ("vhs",)}, "camus"),
        ({"plane": "a9c"}, "a4c"),
        ({"shares": (("A9C", 1.0),)}, "PSAX"),
        ({"shares": (("A4C", 0.0),)}, "shares"),
        ({"shares": ()}, "shares"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(change: dict, named: str, tmp_path: Path) -> None:  # type: ignore[type-arg]
    with pytest.raises(ConfigError, match=named):
        simulate_set(replace(order(tmp_path / "new"), **change), workers=1)
    assert not (tmp_path / "new").exists()


def test_items_are_not_read_ahead_of_the_work() -> None:
    read: list[int] = []

    def items() -> object:
        for number in range(5):
            read.append(number)
            yield number

    results = run_in_order(str, items(), workers=1)  # type: ignore[arg-type]
    assert next(results) == "0"
    assert read == [0]
    assert list(results) == ["1", "2", "3", "4"]


def test_few_items_start_no_worker() -> None:
    assert [worthwhile(4, items) for items in (0, 4, 15, 16, 24, 1000)] == [1, 1, 1, 2, 3, 4]
