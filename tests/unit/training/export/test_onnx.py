"""Export writes what the spec says, or nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from services.models.spec import ModelSpec, TensorSpec
from training.export.cards import Section, say_minutes, write_card, write_table
from training.export.onnx import Golden, ParityError, answer_in_torch, check_parity, export_onnx
from training.export.repository_writer import Export, write_model

SPEC = ModelSpec(
    name="doubler",
    inputs=(TensorSpec("frames", (1, 4, 4), "any"),),
    outputs=(TensorSpec("logits", (4,), "sums of rows, doubled"), TensorSpec("embedding", (16,), "the input")),
    labels=("A2C", "A4C", "PLAX", "PSAX"),
    max_batch_size=8,
)


class Doubler(nn.Module):
    """Small, and with both outputs."""

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        return 2 * frames.sum(dim=(1, 3)), frames.flatten(1)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_onnx(Doubler(), SPEC, path)
    return path


def make_golden() -> Golden:
    frames = np.random.default_rng(0).normal(size=(3, 1, 4, 4)).astype(np.float32)
    return answer_in_torch(Doubler(), SPEC, {"frames": frames})


def test_exported_model_answers_as_torch_at_any_batch(exported: Path) -> None:
    assert check_parity(exported, make_golden()) < 1e-5


def test_one_file_holds_everything(exported: Path) -> None:
    assert [path.name for path in exported.parent.iterdir()] == ["model.onnx"]


def test_the_file_tells_nothing_of_its_makers_folders(exported: Path) -> None:
    served = Path(__file__).parents[4] / "model_repository/view_classifier/1/model.onnx"
    for path in (exported, served):
        assert b".py" not in path.read_bytes()


@pytest.mark.parametrize("fault", [1e-3, float("nan")])
def test_other_answers_are_refused(exported: Path, fault: float) -> None:
    golden = make_golden()
    golden.outputs["logits"][1, 2] += fault
    with pytest.raises(ParityError, match="Nothing was exported"):
        check_parity(exported, golden)


def test_broken_parity_leaves_the_repository_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "doubler").mkdir()
    (tmp_path / "doubler" / "kept.txt").write_text("as it was")
    golden = make_golden()
    golden.outputs["logits"] += 1
    with pytest.raises(ParityError):
        write_model(Export(SPEC, Doubler(), golden, {}, lambda sha256, parity: ""), tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")] == ["doubler/kept.txt"]


def test_written_model_is_complete_and_stamped(tmp_path: Path) -> None:
    export = Export(SPEC, Doubler(), make_golden(), {"trained_on": "nothing"}, lambda sha256, parity: f"card {sha256}")
    folder = write_model(export, tmp_path)
    for name in ("config.pbtxt", "labels.txt", "card.md", "1/model.onnx", "1/golden.npz"):
        assert (folder / name).is_file()
    text = (folder / "config.pbtxt").read_text()
    assert all(word in text for word in ("sha256", "preprocessing", "trained_on"))
    with np.load(folder / "1" / "golden.npz") as golden:
        assert set(golden.files) == {"frames", "logits", "embedding"}


def test_answers_in_torch_are_named_by_the_spec() -> None:
    golden = make_golden()
    assert golden.outputs["logits"].shape == (3, 4)
    assert torch.equal(
        torch.from_numpy(golden.outputs["embedding"]), torch.from_numpy(golden.inputs["frames"]).flatten(1)
    )


def test_card_is_markdown_with_a_title_and_sections() -> None:
    table = write_table(["a", "b"], [[1, 2]])
    card = write_card("Title", "opening", [Section("Data", table)])
    assert card.startswith("# Title\n\nopening\n")
    assert "## Data\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n" in card
    assert (say_minutes(45), say_minutes(600)) == ("45 s", "10 min")
