"""The command line as a user runs it: files in, tables, JSON and pictures out, exit codes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from pydicom.data import get_testdata_file

from deploy.demo.gateway import running_gateway

ECHOPLANE = Path(sys.executable).with_name("echoplane")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ECHOPLANE, *arguments], capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    folder.mkdir()
    for name in ("examples_ybr_color.dcm", "CT_small.dcm"):
        shutil.copy(str(get_testdata_file(name, download=False)), folder)
    return folder


def test_predict_names_the_views_of_a_folder_in_json(study: Path) -> None:
    done = run("predict", str(study), "--json")
    answers = {Path(a["file"]).name: a for a in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0
    assert answers["examples_ybr_color.dcm"]["verdict"] == "VERDICT_ACCEPTED"
    assert answers["examples_ybr_color.dcm"]["view"] == "VIEW_A4C"
    assert answers["CT_small.dcm"]["findings"][0]["code"] == "FINDING_CODE_NOT_ULTRASOUND"


def test_predict_shows_a_table_and_draws_the_frames_the_model_saw(study: Path, tmp_path: Path) -> None:
    done = run("predict", str(study / "examples_ybr_color.dcm"), "--pictures", str(tmp_path / "pictures"))
    picture = cv2.imread(str(tmp_path / "pictures" / "examples_ybr_color.dcm.png"))
    assert done.returncode == 0
    assert "ACCEPTED" in done.stdout
    assert picture is not None
    assert picture.shape[1] == 4 * 224
    assert picture.std() > 5


def test_files_of_one_name_in_two_folders_keep_apart(study: Path, tmp_path: Path) -> None:
    for folder in ("s1", "s2"):
        (study / folder).mkdir()
        shutil.copy(study / "examples_ybr_color.dcm", study / folder / "IM1")
    done = run("predict", str(study), "--pictures", str(tmp_path / "pictures"))
    assert done.returncode == 0
    assert {"s1_IM1.png", "s2_IM1.png"} <= {path.name for path in (tmp_path / "pictures").iterdir()}
    assert "s1/IM1" in done.stdout


def test_one_file_that_cannot_be_opened_does_not_lose_the_others(study: Path) -> None:
    done = run("predict", "/proc/self/mem", str(study / "CT_small.dcm"), "--json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["verdict"] for answer in answers] == ["ERROR", "VERDICT_REJECTED"]
    assert answers[0]["reason"] == "FILE"


def test_an_empty_folder_is_wrong_use(tmp_path: Path) -> None:
    assert run("predict", str(tmp_path)).returncode == 2


def test_predict_says_the_same_here_and_on_a_server(study: Path, tmp_path: Path) -> None:
    with running_gateway(tmp_path / "log") as gateway:
        there = run("predict", str(study / "examples_ybr_color.dcm"), "--json", "--server", gateway.address)
    here = run("predict", str(study / "examples_ybr_color.dcm"), "--json")
    assert json.loads(here.stdout)["probabilities"] == json.loads(there.stdout)["probabilities"]


def test_a_file_that_cannot_be_read_is_told_and_ends_with_one(study: Path) -> None:
    (study / "broken.dcm").write_bytes(b"no cine")
    done = run("predict", str(study), "--json")
    broken = next(a for a in map(json.loads, done.stdout.splitlines()) if a["file"].endswith("broken.dcm"))
    assert done.returncode == 1
    assert broken["reason"] == "FORMAT_UNKNOWN"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["predict", "nowhere.dcm"], 2, "nowhere.dcm"),
        (["predict", "README.md", "--model-repository", "nowhere"], 1, "model repository"),
        (["predict", "README.md", "--server", "127.0.0.1:1"], 1, "(--ca)"),
        (["bogus"], 2, "bogus"),
        (["serve", "--print-config"], 0, "ECHOPLANE_GATEWAY_PORT=50051"),
        (["serve", "--check"], 0, "ok"),
    ],
)
def test_wrong_use_has_a_message_and_an_exit_code(arguments: list[str], code: int, said: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("verb", ["serve", "predict", "simulate", "train", "export"])
def test_every_verb_explains_itself(verb: str) -> None:
    done = run(verb, "--help")
    assert done.returncode == 0
    assert len(done.stdout) > 200
