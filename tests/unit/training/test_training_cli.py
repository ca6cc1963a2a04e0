"""The verbs that training brings: exit codes, JSON on stdout, and no torch before it is needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from services.cine.errors import ConfigError
from training import cli

RUNNER = CliRunner()


def make_app() -> typer.Typer:
    app = typer.Typer()
    app.add_typer(cli.train_app, name="train")
    app.command("export")(cli.export)
    app.command("simulate")(cli.simulate)
    return app


@pytest.mark.parametrize(
    "verb", [["train"], ["train", "classifier"], ["train", "diffusion"], ["train", "distil"], ["export"], ["simulate"]]
)
def test_every_verb_explains_itself(verb: list[str]) -> None:
    answer = RUNNER.invoke(make_app(), [*verb, "--help"])
    assert answer.exit_code == 0
    assert "--help" in answer.stdout


def test_resolved_experiment_is_printed_as_json() -> None:
    answer = RUNNER.invoke(make_app(), ["train", "classifier", "--preset", "gpu", "--print-config"])
    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["loop"]["device"] == "cuda"


@pytest.mark.parametrize("verb", [["diffusion"], ["distil", "--teacher", "nowhere"]], ids=["diffusion", "distil"])
def test_resolved_generator_is_printed_as_json(verb: list[str]) -> None:
    answer = RUNNER.invoke(make_app(), ["train", *verb, "--preset", "gpu", "--print-config"])
    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["loop"]["device"] == "cuda"


def test_own_images_name_the_styles_of_a_generator(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("file,view,style,subject\na.png,A4C,mine,one\n")
    arguments = ["train", "diffusion", "--preset", "smoke", "--images", str(tmp_path), "--print-config"]
    assert json.loads(RUNNER.invoke(make_app(), arguments).stdout)["data"]["styles"] == ["mine"]


def test_unknown_preset_is_a_configuration_error() -> None:
    answer = RUNNER.invoke(make_app(), ["train", "classifier", "--preset", "huge"])
    assert isinstance(answer.exception, ConfigError)


def test_export_of_an_unfinished_run_says_what_to_do(tmp_path: Path) -> None:
    answer = RUNNER.invoke(make_app(), ["export", "--checkpoint", str(tmp_path)])
    assert isinstance(answer.exception, ConfigError)
    assert "a finished `echoplane train`" in str(answer.exception)


@pytest.mark.parametrize(
    "wrong", [["--views", "A9C=1"], ["--views", "A4C"], ["--views", "A4C=-1"], ["--views", ""], ["--plane", "a9c"]]
)
def test_unknown_views_and_planes_are_wrong_use(wrong: list[str], tmp_path: Path) -> None:
    arguments = ["simulate", "--subjects", "1", "--out", str(tmp_path / "set"), *wrong]
    assert RUNNER.invoke(make_app(), arguments).exit_code == cli.EXIT_WRONG_USE
    assert not (tmp_path / "set").exists()


def test_one_plane_in_one_style_is_simulated_with_its_truth(tmp_path: Path) -> None:
    shown = ["--plane", "psax_papillary", "--style", "camus", "--variant", "still", "--size", "32", "--truth"]
    arguments = ["simulate", "--subjects", "2", "--out", str(tmp_path), "--format", "avi", *shown, "--json"]
    answer = RUNNER.invoke(make_app(), arguments)
    assert answer.exit_code == 0
    assert json.loads(answer.stdout)["cines"] == 2
    assert (tmp_path / "manifest.csv").read_text().count(",psax_papillary,camus,still,") == 2
    assert len(list(tmp_path.glob("*_PSAX.truth.npz"))) == 2


def test_shares_of_views_are_read() -> None:
    assert cli.parse_shares("a4c=2, OTHER=0.5") == (("A4C", 2.0), ("OTHER", 0.5))


def test_unknown_format_and_missing_option_are_wrong_use(tmp_path: Path) -> None:
    wrong = ["simulate", "--subjects", "1", "--out", str(tmp_path), "--format", "gif"]
    assert RUNNER.invoke(make_app(), wrong).exit_code == cli.EXIT_WRONG_USE
    assert RUNNER.invoke(make_app(), ["simulate", "--subjects", "1"]).exit_code == cli.EXIT_WRONG_USE


def test_simulate_writes_the_variant_it_is_asked_for(tmp_path: Path) -> None:
    arguments = ["simulate", "--subjects", "1", "--out", str(tmp_path), "--size", "32", "--variant"]
    assert RUNNER.invoke(make_app(), [*arguments, "stereo"]).exit_code == cli.EXIT_WRONG_USE
    assert RUNNER.invoke(make_app(), [*arguments, "still"]).exit_code == 0
    assert (tmp_path / "manifest.csv").read_text().count(",still,") == 4


def test_importing_the_verbs_brings_nothing_heavy() -> None:
    code = "import sys, training.cli; print([m for m in ('torch', 'numpy', 'cv2', 'onnx', 'yaml') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_missing_library_is_named_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as stopped, cli.told_clearly():
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    assert stopped.value.exit_code == cli.EXIT_FAILED
    assert "make setup" in capsys.readouterr().err


def test_failure_is_one_line_and_exit_code_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as stopped, cli.told_clearly():
        raise RuntimeError("Found a loss of nan at step 5")
    assert stopped.value.exit_code == cli.EXIT_FAILED
    assert capsys.readouterr().err == "echoplane: Found a loss of nan at step 5\n"
