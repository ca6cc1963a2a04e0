"""A site's labels become temperature and threshold, and what they promise is said with its interval."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from services.cine.errors import ConfigError
from services.models.onnx_backend import OnnxBackend
from services.models.recalibration import read_recalibration
from services.models.spec import VIEW_CLASSIFIER
from tests.builders import dicom_bytes, fan_frames
from tests.unit.models.tiny_model import make_graph, write_model
from training.evaluation.cli import app
from training.evaluation.recalibration import Labelled, ask, read_labels, recalibrate, say, write


def make_labelled(count: int = 150, factor: float = 2.0, seed: int = 0) -> Labelled:
    """Log-odds that are `factor` times too sure of the labels drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (count, 5))
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (odds.cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return Labelled(np.asarray(logits * factor, np.float32), labels, unread=3)


def test_an_overconfident_model_is_cooled_and_wrong_names_stay_rare() -> None:
    result = recalibrate(make_labelled(2000), 0.1, "ab")
    assert result["temperature"] == pytest.approx(2.0, rel=0.15)
    assert result["log_loss"]["after"] < result["log_loss"]["before"]
    assert result["named_wrongly"] <= 0.1
    low, high = result["no_wrong_name_90"]["all"]
    assert low < 0.9 < high


def test_what_it_writes_is_what_the_service_reads(tmp_path: Path) -> None:
    result = recalibrate(make_labelled(), 0.1, "ab")
    write(result, tmp_path / "deep" / "own.json")
    read = read_recalibration(tmp_path / "deep" / "own.json")
    assert (read.sha256, read.temperature, read.abstain_below) == ("ab", result["temperature"], result["abstain_below"])


def test_views_with_too_few_cines_are_said_to_promise_nothing_alone() -> None:
    made = make_labelled(100)
    labels = made.labels.copy()
    labels[labels == 4] = 0
    labels[:3] = 4
    text = say(recalibrate(Labelled(made.logits, labels, 0), 0.1, "ab"))
    assert "Too few cines to say so of OTHER alone" in text
    assert "in nine sites of ten" in text
    assert "no longer when machines" in text


def test_too_few_cines_are_refused_with_the_number_it_takes() -> None:
    with pytest.raises(ConfigError, match="at least 19"):
        recalibrate(make_labelled(18), 0.05, "ab")


@pytest.mark.parametrize(
    "text", ["name,view\na,A4C\n", "file,view\na,A5C\n", "file,view\na,A4C\na,A2C\n", "file,view\na\n", ""]
)
def test_a_list_that_is_no_list_of_labels_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    if text:
        with pytest.raises(ConfigError):
            read_labels(path)
    else:
        assert read_labels(path) == []


def make_site(folder: Path, count: int) -> None:
    """A tiny model and labelled cines, one of them no cine."""
    write_model(folder / "models", make_graph())
    (folder / "cines").mkdir()
    rows = ["file,view"]
    for index in range(count):
        (folder / "cines" / f"{index}.dcm").write_bytes(dicom_bytes(fan_frames(seed=index)))
        rows.append(f"{index}.dcm,{'A4C' if index % 2 else 'other'}")
    (folder / "cines" / "broken.dcm").write_bytes(b"no cine")
    (folder / "labels.csv").write_text("\n".join([*rows, "broken.dcm,A2C"]))


def test_the_model_is_asked_about_every_cine_as_the_service_asks(tmp_path: Path) -> None:
    make_site(tmp_path, 3)
    backend = OnnxBackend(tmp_path / "models", VIEW_CLASSIFIER)
    labelled = ask(read_labels(tmp_path / "labels.csv"), tmp_path / "cines", backend)
    assert labelled.logits.shape == (3, 5)
    assert list(labelled.labels) == [4, 1, 4]
    assert labelled.unread == 1
    with pytest.raises(ConfigError, match=r"0\.dcm"):
        ask([("0.dcm", 0)], tmp_path, backend)


def test_the_command_writes_the_file_and_says_what_it_is_worth(tmp_path: Path) -> None:
    make_site(tmp_path, 10)
    options = ["--labels", str(tmp_path / "labels.csv"), "--wrong", "0.1", "--out", str(tmp_path / "own.json")]
    command = ["recalibrate", str(tmp_path / "cines"), *options, "--model-repository", str(tmp_path / "models")]
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 0, answer.output
    written = json.loads((tmp_path / "own.json").read_text())
    assert sum(written["cines"].values()) == 10
    assert written["not_read"] == 1
