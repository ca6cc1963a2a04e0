"""`echoplane predict --study` and `echoplane studies` as a user runs them."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.demo.gateway import Gateway, running_gateway
from tests.builders import dicom_bytes, fan_frames, still_frames, tiny_repository
from tests.integration.test_command_line import ECHOPLANE, run
from tests.integration.test_study_review import EXAMPLE
from tests.unit.acquisition.studying import KEY, STUDY, UID

NAME = ("--subject", "S01-001", "--visit", "baseline")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("studies")
    (folder / "key").write_bytes(KEY)
    settings = {
        "MODEL_REPOSITORY": str(tiny_repository(folder / "models")),
        "TRIAL_PROTOCOL": str(EXAMPLE),
        "STUDY_KEY_FILE": str(folder / "key"),
        "STUDY_DATABASE": str(folder / "studies.sqlite"),
    }
    with running_gateway(folder / "log", settings) as running:
        yield running


@pytest.fixture(scope="module")
def cines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cines")
    (folder / "good.dcm").write_bytes(dicom_bytes(fan_frames()))
    (folder / "still.dcm").write_bytes(dicom_bytes(still_frames()))
    return folder


def studies(gateway: Gateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("studies", "--server", gateway.address, *arguments)


def test_predict_shows_the_answers_and_then_what_the_study_misses(gateway: Gateway, cines: Path) -> None:
    done = run("predict", str(cines), "--server", gateway.address, "--study", UID, *NAME)
    assert done.returncode == 0, done.stderr
    answers, _, review = done.stdout.partition("S01-001 baseline: open")
    assert "good.dcm" in answers
    assert "Still missing:" in review
    assert "Nothing moves" in review


def test_a_study_is_found_in_the_list_named_reviewed_and_sent_to(gateway: Gateway, cines: Path) -> None:
    sent = run("predict", str(cines / "good.dcm"), "--server", gateway.address, "--study", "1.2.3", "--json")
    assert sent.returncode == 0, sent.stderr
    study = json.loads(sent.stdout.splitlines()[-1])["study"]
    assert study in {json.loads(line)["study"] for line in studies(gateway, "list", "--json").stdout.splitlines()}
    assert "not named yet" in studies(gateway, "list").stdout
    assert studies(gateway, "name", study[:10], "--subject", "S01-002", "--visit", "month-6").returncode == 0
    wrong = studies(gateway, "name", study[:10], "--subject", "S01-003", "--visit", "month-6")
    assert wrong.returncode == 1
    assert "`replaces`" in wrong.stderr
    again = studies(
        gateway, "name", "1.2.3", "--subject", "S01-003", "--visit", "month-6", "--replaces", "S01-002", "month-6"
    )
    assert again.returncode == 0
    run("predict", str(cines / "still.dcm"), "--server", gateway.address, "--study", study[:10])
    review = json.loads(studies(gateway, "review", study[:10], "--json").stdout)
    assert (review["subject_code"], review["cines"]) == ("S01-003", 2)


def test_a_study_of_which_nothing_could_be_read_is_not_reviewed_but_the_answers_are_shown(gateway: Gateway) -> None:
    done = run("predict", "README.md", "--server", gateway.address, "--study", "9.9.9")
    assert done.returncode == 1
    assert "NOT_A_CINE" in done.stdout
    assert "nothing to review" in done.stderr


def test_a_watch_shows_the_review_until_it_is_interrupted(gateway: Gateway, cines: Path) -> None:
    run("predict", str(cines / "good.dcm"), "--server", gateway.address, "--study", UID, *NAME)
    command = [ECHOPLANE, "studies", "--server", gateway.address, "review", UID, "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["study"] == STUDY.study
        (cines / "later.dcm").write_bytes(dicom_bytes(fan_frames(seed=9)))
        run("predict", str(cines / "later.dcm"), "--server", gateway.address, "--study", UID)
        assert json.loads(watching.stdout.readline())["cines"] >= 2
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("predict", "README.md", "--study", UID), 2, "--server"),
        (("predict", "README.md", "--subject", "S01-001"), 2, "--study"),
        (("predict", "README.md", "--server", "HERE", "--study", UID, "--csv", "a.csv"), 2, "--csv"),
        (("predict", "README.md", "--server", "HERE", "--study", UID, "--subject", "Bob"), 2, "S##-###"),
        (("predict", "README.md", "--server", "HERE", "--study", UID, *NAME[:3], "Monday"), 2, "month-12"),
        (("predict", "README.md", "--server", "HERE", "--study", "0" * 12), 2, "begins so"),
        (("studies", "--server", "HERE", "review", "9.9.9"), 1, "no such study"),
        (("studies", "--server", "127.0.0.1:1", "list"), 1, "make serve"),
    ],
)
def test_what_cannot_be_done_says_what_can(
    gateway: Gateway, arguments: tuple[str, ...], code: int, message: str
) -> None:
    done = run(*(gateway.address if argument == "HERE" else argument for argument in arguments))
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert "Bob" not in done.stderr
