"""`echoplane evaluate synthesis` as an engineer runs it: a generator, a batch of it, and a page about both."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.builders import tiny_repository
from tests.integration.smoke_student import make_student
from training.diffusion.config import DiffusionConfig, load_preset
from training.diffusion.recipe import train_diffusion
from training.evaluation.synthesis.steps import CURVES_FILE, PICTURES_FILE
from training.evaluation.synthesis.trained import SAMPLE

COMMAND = str(Path(sys.executable).with_name("echoplane"))
CANARIES, PER_VIEW = 2, 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher with canaries in `teacher/`, both models in `models/`, a batch in `batch/`, frames in `frames/`."""
    folder = tmp_path_factory.mktemp("evaluated")
    smoke = load_preset("smoke", DiffusionConfig)
    smoke = replace(smoke, data=replace(smoke.data, canaries=CANARIES))
    models = tiny_repository(folder / "models")
    make_student(folder, models, smoke)
    wish = ["synthesize", "--per-view", str(PER_VIEW), "--model-repository", str(models), "--out", str(folder)]
    manifest = json.loads(run(*wish, "--json").stdout)["manifest"]
    Path(manifest).parent.rename(folder / "batch")
    return folder


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return done


def evaluate(made: Path, out: Path, *more: str) -> list[str]:
    folders = ["--cache", str(made / "frames"), "--model-repository", str(made / "models"), "--out", str(out)]
    return ["evaluate", "synthesis", str(made / "batch"), "--teacher", str(made / "teacher"), *folders, *more]


def test_one_command_writes_the_whole_report(made: Path, tmp_path: Path) -> None:
    steps = tmp_path / "steps"
    steps.mkdir()
    for name in (CURVES_FILE, PICTURES_FILE):
        cv2.imwrite(str(steps / name), np.zeros((8, 8), np.uint8))
    run(*evaluate(made, tmp_path, "--use-steps", "4", "--seeds", "1", "--steps", str(steps)))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["replicas"]["samples"]["count"] == 4 * PER_VIEW
    assert report["unfiltered"]["samples"]["count"] == SAMPLE
    assert report["extraction"]["extracted"]["count"] == CANARIES
    assert 0 <= report["by_loss"]["area"] <= 1
    assert all(len(scores) == 1 for scores in report["use"].values())
    page = (tmp_path / "index.html").read_text()
    for words in (
        "Membership by the generator",
        "Canaries",
        "simulated",
        "nearest training pictures",
        "map_sources.png",
        CURVES_FILE,
        "While the batch was made the copy filter replaced",
        "From the same noise after",
    ):
        assert words in page
    history = json.loads((made / "teacher" / "history.json").read_text())
    evolution = cv2.imread(str(tmp_path / "evolution.png"))
    assert evolution is not None
    assert evolution.shape == (114 * len(history), 114 * 8, 3)
    assert (tmp_path / "card.md").is_file()


def test_a_batch_that_was_changed_is_refused(made: Path, tmp_path: Path) -> None:
    image = next((made / "batch").glob("*/*.png"))
    whole = image.read_bytes()
    image.write_bytes(whole[:-1] + b"\0")
    done = subprocess.run([COMMAND, *evaluate(made, tmp_path)], capture_output=True, text=True, check=False)
    image.write_bytes(whole)
    assert done.returncode != 0
    assert image.name in done.stderr
    assert "Traceback" not in done.stderr


def test_views_that_a_source_never_had_are_drawn_and_measured(made: Path, tmp_path: Path) -> None:
    smoke = load_preset("smoke", DiffusionConfig)
    confounded = replace(smoke, data=replace(smoke.data, is_confounded=True))
    train_diffusion(confounded, tmp_path / "teacher", made / "frames")
    folders = ["--cache", str(made / "frames"), "--model-repository", str(made / "models"), "--out", str(tmp_path)]
    run("evaluate", "swaps", "--teacher", str(tmp_path / "teacher"), "--pictures", "6", *folders)
    cells = {(swap["view"], swap["style"]) for swap in json.loads((tmp_path / "swaps.json").read_text())}
    assert cells == {
        ("A2C", "lvh"),
        ("A4C", "lvh"),
        ("PSAX", "lvh"),
        *((v, "dynamic") for v in ("A2C", "PLAX", "PSAX")),
    }
    assert (tmp_path / "swaps.png").stat().st_size > 1000


def test_a_generator_that_saw_everything_has_nothing_to_swap(made: Path, tmp_path: Path) -> None:
    asked = ["evaluate", "swaps", "--teacher", str(made / "teacher"), "--out", str(tmp_path)]
    done = subprocess.run([COMMAND, *asked], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "preset confounded" in done.stderr


def test_steps_of_teacher_and_student_stand_in_one_table(made: Path, tmp_path: Path) -> None:
    folders = ["--cache", str(made / "frames"), "--model-repository", str(made / "models"), "--out", str(tmp_path)]
    runs = [str(made / "teacher"), str(made / "student")]
    run("evaluate", "steps", *runs, *folders, "--pictures", "40", "--use-steps", "4", "--seeds", "1")
    walks = json.loads((tmp_path / "steps.json").read_text())
    assert [walk["evaluations"] for walk in walks if walk["run"] == "teacher"][:2] == [1, 2]
    assert [walk["evaluations"] for walk in walks if walk["run"] == "student"] == [2]
    assert all(walk["frechet"] >= 0 and len(walk["use"]) == 1 for walk in walks)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"steps{end}" for end in (".csv", ".json", ".md", ".png", "_pictures.png")
    }
