from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.cine.errors import ConfigError
from training.export.tensorrt import build_command, find_tools, newest, profile, publish, shapes_argument

SHAPES = {"frames": (1, 112, 112)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a model's folder with the versions 2 and 10, and one that was rolled back."""
    for version in ("2", "10", "retired-11"):
        path = tmp_path / "model" / version
        path.mkdir(parents=True)
        (path / "model.onnx").write_text(f"weights {version}")
        (path / "golden.npz").write_text(f"golden {version}")
    return tmp_path / "model"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "fp16.plan"
    path.write_text("plan")
    return path


def test_shapes_are_spelled_for_trtexec_and_onnxruntime() -> None:
    assert shapes_argument({**SHAPES, "noise": (4,)}, 8) == "frames:8x1x112x112,noise:8x4"


@pytest.mark.parametrize(("largest", "expected"), [(64, (1, 8, 64)), (4, (1, 4, 4)), (1, (1, 1, 1))])
def test_profile_rises_from_one_to_the_largest_batch(largest: int, expected: tuple[int, int, int]) -> None:
    assert tuple(profile(largest).values()) == expected


def test_build_names_weights_shapes_and_timing_cache() -> None:
    shapes = {bound: shapes_argument(SHAPES, batch) for bound, batch in profile(64).items()}
    command = build_command("trtexec", Path("a.onnx"), Path("b.plan"), Path("c.cache"), shapes)
    assert command[:3] == ["trtexec", "--onnx=a.onnx", "--saveEngine=b.plan"]
    assert command[3:6] == [
        "--minShapes=frames:1x1x112x112",
        "--optShapes=frames:8x1x112x112",
        "--maxShapes=frames:64x1x112x112",
    ]
    assert "--timingCacheFile=c.cache" in command


def test_plan_becomes_the_next_version_beside_the_weights_it_was_built_from(folder: Path, plan: Path) -> None:
    live = publish(plan, folder, {"precision": "fp16"})
    assert live == folder / "11"
    assert newest(folder) == live
    assert (live / "model.plan").read_text() == "plan"
    assert (live / "model.onnx").read_text() == "weights 10"
    assert (live / "golden.npz").read_text() == "golden 10"
    record = json.loads((live / "plan.json").read_text())
    assert record["precision"] == "fp16"
    assert len(record["sha256"]) == 64


def test_former_versions_stay_for_a_roll_back(folder: Path, plan: Path) -> None:
    publish(plan, folder, {}).rename(folder / "retired-12")
    assert newest(folder) == folder / "10"


def test_published_version_can_be_read_by_another_user(folder: Path, plan: Path) -> None:
    assert publish(plan, folder, {}).stat().st_mode & 0o555 == 0o555


def test_failed_publishing_leaves_no_trace(folder: Path, plan: Path) -> None:
    (folder / "10" / "golden.npz").unlink()
    before = sorted(folder.rglob("*"))
    with pytest.raises(FileNotFoundError):
        publish(plan, folder, {})
    assert sorted(folder.rglob("*")) == before


def test_model_without_versions_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="echoplane export"):
        newest(tmp_path)


def test_missing_programs_are_named_with_what_to_run_instead(tmp_path: Path) -> None:
    trtexec = tmp_path / "trtexec"
    trtexec.touch(mode=0o755)
    with pytest.raises(ConfigError, match=r"no tritonserver, no nvidia-smi.*deploy/tensorrt/build\.sh"):
        find_tools([str(tmp_path)])


def test_tools_know_the_card_they_build_for(tmp_path: Path) -> None:
    for name in ("trtexec", "tritonserver", "nvidia-smi"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho Card 9000\n")
        program.chmod(0o755)
    assert find_tools(["/nowhere", str(tmp_path)]).gpu == "Card 9000"
