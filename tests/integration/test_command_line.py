"""The command line as a user runs it: files in, tables, JSON and pictures out, exit codes."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import pytest
from pydicom.data import get_testdata_file

from deploy.demo.gateway import running_gateway
from tests.builders import dicom_bytes, fan_frames

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


def test_predict_tells_the_views_of_a_folder_in_json(study: Path) -> None:
    done = run("predict", str(study), "--json")
    answers = {Path(a["file"]).name: a for a in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0
    assert answers["examples_ybr_color.dcm"]["verdict"] == "VERDICT_ACCEPTED"
    told = {each["view"]: each["probability"] for each in answers["examples_ybr_color.dcm"]["probabilities"]}
    assert max((view for view in told if view != "VIEW_OTHER"), key=told.__getitem__) == "VIEW_A4C"
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
    assert (tmp_path / "pictures/s1/IM1.png").exists()
    assert (tmp_path / "pictures/s2/IM1.png").exists()
    assert "s1/IM1" in done.stdout


def test_one_file_that_cannot_be_opened_does_not_lose_the_others(study: Path) -> None:
    done = run("predict", "/proc/self/mem", str(study / "CT_small.dcm"), "--json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["verdict"] for answer in answers] == ["ERROR", "VERDICT_REJECTED"]
    assert answers[0]["reason"] == "FILE"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Two studies of small cines, and what else lies about."""
    folder = tmp_path / "archive"
    for study in ("2004", "2005"):
        (folder / study).mkdir(parents=True)
        for number in range(25):
            (folder / study / f"IM{number:02d}").write_bytes(dicom_bytes(fan_frames(seed=number)))
        (folder / study / "report.pdf").write_bytes(b"%PDF-1.7")
        (folder / study / ".DS_Store").write_bytes(b"Bud1")
        shutil.copy(str(get_testdata_file("DICOMDIR", download=False)), folder / study)
    (folder / "loop").symlink_to(".")
    (folder / "latin\udce9\n").write_bytes(b"")
    return folder


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_an_archive_is_counted_and_goes_on_where_it_was_killed(archive: Path) -> None:
    sheet = archive / "views.csv"
    command = ["predict", str(archive), "--csv", str(sheet), "--workers", "2"]
    with subprocess.Popen([ECHOPLANE, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not (sheet.exists() and sheet.read_bytes().count(b"\n") > 10):
            time.sleep(0.01)
        killed.kill()
    whole = sheet.read_bytes().count(b"\n") - 1
    sheet.write_bytes(sheet.read_bytes()[:-20])  # as if in the middle of a row
    done = run(*command)
    rows = {row["file"]: row for row in read_csv(sheet)}
    assert 10 <= whole < 55
    assert done.returncode == 1  # an empty file is a cine that was lost on its way
    assert f"{whole - 1} more were in the CSV already" in done.stderr
    assert len(rows) == len(read_csv(sheet)) == 55
    assert {row["verdict"] for row in rows.values()} == {"ACCEPTED", "NOT_A_CINE", "ERROR"}
    assert (rows["2004/IM03"]["frames"], rows["2004/IM03"]["format"]) == ("12", "DICOM")
    assert rows["2004/DICOMDIR"]["reason"] == "PIXELS_MISSING"
    assert "EMPTY" in done.stdout


def test_json_comes_in_the_order_of_names_whoever_is_first(archive: Path) -> None:
    done = run("predict", str(archive / "2004"), "--json", "--workers", "4")
    files = [json.loads(line)["file"] for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert len(files) == 27
    assert files == sorted(files)


def test_an_archive_goes_through_a_gateway_that_has_little_room(archive: Path, tmp_path: Path) -> None:
    room = {"MAX_RUNNING_REQUESTS": "1", "MAX_QUEUED_REQUESTS": "0"}
    with running_gateway(tmp_path / "log", room) as gateway:
        done = run("predict", str(archive / "2005"), "--json", "--server", gateway.address, "--workers", "3")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert "QUEUE_FULL" in (tmp_path / "log").read_text()
    assert [answer.get("reason") for answer in answers].count(None) == 25


def test_ctrl_c_says_how_far_it_came(archive: Path) -> None:
    command = [ECHOPLANE, "predict", str(archive), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as stopped:
        assert stopped.stdout is not None
        stopped.stdout.readline()
        stopped.send_signal(signal.SIGINT)
        _, said = stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    assert "of 55 files" in said
    assert "Traceback" not in said


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
        (["predict", "README.md", "--server", "127.0.0.1:1", "--recalibration", "own.json"], 2, "RECALIBRATION_FILE"),
        (["predict", "README.md", "--recalibration", "nowhere.json"], 2, "nowhere.json"),
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
