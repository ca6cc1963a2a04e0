"""A generator in a minute: trained, killed and resumed, distilled, exported, and asked through onnxruntime."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deploy.demo.gateway import running_gateway
from services.cine.errors import ConfigError
from services.models.copy_index import INDEX_FILE, load_index
from services.models.onnx_backend import Provider, check_graph, open_session
from services.models.repository import load_config
from services.models.spec import ECHO_SYNTHESIZER
from tests.builders import tiny_repository
from tests.integration.smoke_student import make_student
from tests.integration.test_synthesis import settings_of
from training.configuration import to_plain
from training.diffusion.card import write_synthesizer_card
from training.diffusion.config import DiffusionConfig, DistilConfig, load_preset, with_own_images
from training.diffusion.contact_sheet import draw_unfinished
from training.diffusion.dataset import load_parts
from training.diffusion.export import PARITY_TOLERANCE, FewSteps, export_synthesizer, make_golden_inputs
from training.diffusion.recipe import distil_diffusion, load_denoiser, train_diffusion
from training.diffusion.task import DiffusionTask
from training.export.onnx import answer_in_torch, check_parity, export_onnx
from training.loop import train
from training.run_folder import read_checkpoint
from training.tensor_file import read_tensors

ROOT = Path(__file__).parents[2]
BATCH = 16

BARE_MACHINE = """
import sys
for name in ("rich", "typer", "safetensors", "onnx", "onnxruntime", "onnxscript", "pydicom", "av", "grpc",
             "google.protobuf", "tritonclient", "pydantic", "PIL", "torchvision"):
    sys.modules[name] = None
import runpy
runpy.run_module("training.diffusion", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Finished smoke runs in `teacher/` and `student/`, the model in `repository/`, rendered frames in `frames/`."""
    folder = tmp_path_factory.mktemp("diffusion")
    make_student(folder, folder / "repository")
    return folder


def run(*arguments: str, launcher: tuple[str, ...] = ()) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_graph_makes_the_images_of_torch_in_any_batch(made: Path) -> None:
    folder = made / "repository" / ECHO_SYNTHESIZER.name
    session = open_session(folder / "1" / "model.onnx", Provider.CPU, 1)
    check_graph(session, ECHO_SYNTHESIZER)
    with np.load(folder / "1" / "golden.npz") as golden:
        rows = np.arange(BATCH) % len(golden["noise"])
        asked = {name: golden[name][rows] for name in ("noise", "view", "style")}
        (images,) = session.run(["images"], asked)
        assert np.abs(images - golden["images"][rows]).max() < PARITY_TOLERANCE
    assert np.abs(images).max() <= 1.0
    assert np.ptp(images) > 0.1


def test_served_file_is_small_and_says_what_it_is(made: Path) -> None:
    folder = made / "repository" / ECHO_SYNTHESIZER.name
    parameters = load_config(folder).parameters
    index = load_index(folder / INDEX_FILE, parameters["sha256"].string_value)
    assert index.has_thumbnails
    assert parameters["styles"].string_value == "lvh,dynamic,tmed"
    assert parameters["trained_on"].string_value == "simulated"
    assert int(parameters["evaluations"].string_value) <= 4
    card = (folder / "card.md").read_text()
    for words in ("simulated data only", "Not a medical device", "guidance", "sha256", "Limits", "dynamic"):
        assert words in card


def like_the_thesis() -> DiffusionConfig:
    """The preset thesis with the data of smoke and a U-Net of a thousandth of its work."""
    smoke, thesis = load_preset("smoke", DiffusionConfig), load_preset("thesis", DiffusionConfig)
    return replace(
        thesis,
        data=smoke.data,
        network=replace(thesis.network, channels=(32, 32, 32), blocks=(1, 1, 1), attention_levels=(2,)),
        objective=replace(thesis.objective, batch_size=2),
        sampling=replace(thesis.sampling, images=0),
        loop=replace(smoke.loop, steps=1),
    )


def test_the_thesiss_recipe_is_distilled_and_exported_and_offers_no_style(made: Path, tmp_path: Path) -> None:
    train_diffusion(like_the_thesis(), tmp_path / "teacher", made / "frames")
    guided = load_preset("smoke", DistilConfig)
    with pytest.raises(ConfigError, match="never left open"):
        distil_diffusion(guided, tmp_path / "teacher", tmp_path / "student", made / "frames")
    plain = replace(
        load_preset("thesis", DistilConfig),
        nodes=(40.0,),  # one evaluation: the exporter takes ten seconds for each
        batch_size=2,
        images=2,
        loop=replace(guided.loop, steps=1),
    )
    distil_diffusion(plain, tmp_path / "teacher", tmp_path / "student", made / "frames")
    checkpoint = read_checkpoint(tmp_path / "student")
    assert checkpoint["styles"] == []
    assert "| tmed |" in write_synthesizer_card(checkpoint, 1, "ab" * 32, 0.0)
    network = FewSteps(load_denoiser(checkpoint, tmp_path / "student"), plain.nodes).eval()
    export_onnx(network, ECHO_SYNTHESIZER, tmp_path / "model.onnx")
    golden = answer_in_torch(network, ECHO_SYNTHESIZER, make_golden_inputs(0))
    assert check_parity(tmp_path / "model.onnx", golden, PARITY_TOLERANCE) < PARITY_TOLERANCE


def test_killed_run_ends_as_one_that_was_not(made: Path, tmp_path: Path) -> None:
    config = load_preset("smoke", DiffusionConfig)
    task = DiffusionTask(config, load_parts(config.data, made / "frames"), len(config.data.styles), tmp_path)
    train(task, config.loop, tmp_path, stop_after=6)
    train(task, config.loop, tmp_path)
    weights = [read_tensors(folder / "weights.safetensors")[0] for folder in (made / "teacher", tmp_path)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_unfinished_run_can_be_looked_at(made: Path) -> None:
    sheet = draw_unfinished(made / "teacher")
    assert sheet.shape == (4 * 114, 8 * 114)
    assert sheet.std() > 0


def test_what_is_no_student_is_not_exported_and_no_teacher_not_distilled(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="train distil"):
        export_synthesizer(made / "teacher", tmp_path, made / "frames")
    with pytest.raises(ConfigError, match="train diffusion"):
        distil_diffusion(load_preset("smoke", DistilConfig), made / "student", tmp_path / "run", made / "frames")


def test_training_needs_only_torch_numpy_and_opencv(made: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(to_plain(load_preset("smoke", DiffusionConfig))))
    run("-c", BARE_MACHINE, "train", str(config), str(tmp_path / "run"), str(made / "frames"))
    found = [(folder / "weights.safetensors").read_bytes() for folder in (made / "teacher", tmp_path / "run")]
    assert found[0] == found[1]


def test_two_processes_do_what_one_with_twice_the_batch_does(made: Path, tmp_path: Path) -> None:
    smoke = load_preset("smoke", DiffusionConfig)
    one = replace(
        smoke, loop=replace(smoke.loop, steps=2, validate_every_steps=9), sampling=replace(smoke.sampling, images=0)
    )
    config = tmp_path / "config.json"
    config.write_text(json.dumps(to_plain(one)))
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    run(
        "-m", "training.diffusion", "train", str(config), str(tmp_path / "two"), str(made / "frames"), launcher=launcher
    )
    task = DiffusionTask(one, load_parts(one.data, made / "frames"), len(one.data.styles), tmp_path)
    alone = train(_Pairs(task), one.loop, tmp_path / "alone")
    both = read_tensors(tmp_path / "two" / "weights.safetensors")[0]
    for name, weight in alone.ema.state_dict().items():
        assert torch.allclose(both[name], weight, atol=1e-6), name


def test_processes_wait_for_the_one_that_renders_longer_than_torch_would(tmp_path: Path) -> None:
    program = tmp_path / "joined.py"
    program.write_text(
        "import torch\n"
        "from training.parallel import LONGEST_WAIT, joined\n"
        "with joined():\n"
        "    backend = torch.distributed.group.WORLD._get_backend(torch.device('cpu'))\n"
        "    assert backend.options._timeout == LONGEST_WAIT\n"
    )
    run(str(program), launcher=("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"))


class _Pairs:
    """One process that takes the batches of two."""

    def __init__(self, task: DiffusionTask) -> None:
        self.task = task
        self.build, self.validate = task.build, task.validate

    def loss(self, network: torch.nn.Module, step: int) -> torch.Tensor:
        return (self.task.loss(network, 2 * step) + self.task.loss(network, 2 * step + 1)) / 2


def own_images(folder: Path, people: int = 160) -> Path:
    """Write a folder of noise of two sources, of which three views have half of what the fourth has."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    lines = ["file,view,style,subject"]
    for index, view in enumerate(("A2C", "A4C", "PLAX", "PSAX", "PLAX") * (people // 5)):
        cv2.imwrite(str(folder / f"{index}.png"), rng.integers(0, 255, (112, 112), dtype=np.uint8))
        lines.append(f"{index}.png,{view},{('mine', 'theirs')[index % 2]},person {index}")
    (folder / "labels.csv").write_text("\n".join(lines))
    return folder


def test_a_folder_of_ones_own_images_becomes_a_model_that_brings_it_to_balance(tmp_path: Path) -> None:
    images, models = own_images(tmp_path / "images"), tiny_repository(tmp_path / "models")
    folder = make_student(tmp_path, models, with_own_images(load_preset("smoke", DiffusionConfig), images))
    assert load_config(folder).parameters["styles"].string_value == "mine,theirs"
    assert load_config(folder).parameters["trained_on"].string_value == "own images"
    assert "Hold out more subjects" in (folder / "card.md").read_text()
    index = tmp_path / "student" / INDEX_FILE
    assert not (folder / INDEX_FILE).exists(), "an index of people's images leaves its place"
    with running_gateway(tmp_path / "log", settings_of(models, tmp_path, SYNTHESIS_COPY_INDEX=str(index))) as gateway:
        wish = ["--balance", str(images / "labels.csv"), "--out", str(tmp_path / "batch")]
        command = [str(Path(sys.executable).with_name("echoplane")), "synthesize", *wish, "--json"]
        done = subprocess.run([*command, "--server", gateway.address], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(Path(json.loads(done.stdout)["manifest"]).read_text())
    assert Counter(row["view"] for row in manifest["images"]) == {"A2C": 32, "A4C": 32, "PSAX": 32}
    assert {row["copy_check"] for row in manifest["images"]} == {"passed"}
    assert manifest["warnings"] == []
