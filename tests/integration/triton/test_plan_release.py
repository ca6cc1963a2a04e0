"""The release of a TensorRT plan, with a stand-in for trtexec: a real server judges what it built."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import onnx
import pytest
from onnx import helper, numpy_helper

from services.cine.errors import ModelContractError, ModelUnavailableError
from tests.integration.triton.twins import INSTALLED, MODEL, ROOT, make_twin, triton_command, triton_environment
from training.export.tensorrt import Tools, release


def write_program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/bash\nset -eu\n{script}\n")
    path.chmod(0o755)
    return str(path)


def double_logits(source: Path, target: Path) -> Path:
    """Copy a graph and spoil its answers, as lost precision would."""
    model = onnx.load(source)
    for node in model.graph.node:
        names = ["raw" if name == "logits" else name for name in node.output]
        del node.output[:]
        node.output.extend(names)
    two = numpy_helper.from_array(numpy_helper.to_array(helper.make_tensor("two", 1, [], [2.0])), "two")
    model.graph.initializer.append(two)
    model.graph.node.append(helper.make_node("Mul", ["raw", "two"], ["logits"]))
    onnx.save(model, target)
    return target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a model's folder as it would be live."""
    return make_twin(tmp_path / "live")


@pytest.fixture
def server(tmp_path: Path) -> str:
    """Give a `tritonserver` that puts the twin's code beside the weights it is to serve."""
    environment = triton_environment()
    command = shlex.join(triton_command(f"echoplane_{tmp_path.name}"))
    return write_program(
        tmp_path / "tritonserver",
        f"""
        export PATH={shlex.quote(environment["PATH"])} LD_LIBRARY_PATH={shlex.quote(environment["LD_LIBRARY_PATH"])}
        for argument; do case $argument in --model-repository=*) repository=${{argument#*=}};; esac; done
        for version in "$repository"/*/1; do cp {shlex.quote(str(MODEL))} "$version"; done
        exec {command} "$@"
        """,
    )


def stand_in(path: Path, weights: str) -> str:
    """Give a `trtexec` whose "plan" is an ONNX file: shell words that may tell fp16 from fp32 by `$half`.

    What it was told last lies beside it, with the suffix `.told`.
    """
    return write_program(
        path,
        f"""
        half=no
        for argument; do case $argument in
            --onnx=*) onnx=${{argument#*=}};;
            --saveEngine=*) plan=${{argument#*=}};;
            --fp16) half=yes;;
        esac; done
        cp {weights} "$plan"
        echo "$@" > {path}.told
        """,
    )


def test_plan_out_of_tolerance_in_half_precision_goes_live_in_single(folder: Path, server: str, tmp_path: Path) -> None:
    spoilt = double_logits(folder / "1" / "model.onnx", tmp_path / "spoilt.onnx")
    trtexec = stand_in(tmp_path / "trtexec", f'"$([ $half = yes ] && echo {spoilt} || echo "$onnx")"')
    live = release(folder, Tools(trtexec, server, "a card"), tmp_path / "timing.cache")
    record = json.loads((live / "plan.json").read_text())
    assert live == folder / "2"
    assert (record["precision"], record["gpu"]) == ("fp32", "a card")
    assert record["probability_shift"] < 1e-5
    assert {path.name for path in live.iterdir()} == {"model.onnx", "model.plan", "golden.npz", "plan.json"}


def test_a_generators_plan_is_built_for_its_three_inputs_and_goes_live(
    student: Path, server: str, tmp_path: Path
) -> None:
    folder = make_twin(tmp_path / "live", source=student)
    trtexec = stand_in(tmp_path / "trtexec", '"$onnx"')
    live = release(folder, Tools(trtexec, server, "a card"), tmp_path / "timing.cache")
    assert json.loads((live / "plan.json").read_text())["precision"] == "fp16"
    assert "--maxShapes=noise:16x1x112x112,view:16x1,style:16x1" in Path(f"{trtexec}.told").read_text()


def test_nothing_goes_live_when_every_plan_is_out_of_tolerance(folder: Path, server: str, tmp_path: Path) -> None:
    spoilt = double_logits(folder / "1" / "model.onnx", tmp_path / "spoilt.onnx")
    before = sorted(folder.rglob("*"))
    with pytest.raises(ModelContractError, match="Nothing was published"):
        release(folder, Tools(stand_in(tmp_path / "trtexec", str(spoilt)), server, "a card"), tmp_path / "timing.cache")
    assert sorted(folder.rglob("*")) == before


def test_failed_build_changes_nothing_and_says_why(folder: Path, server: str, tmp_path: Path) -> None:
    before = sorted(folder.rglob("*"))
    trtexec = write_program(tmp_path / "trtexec", "echo no kernel fits; exit 7")
    with pytest.raises(ModelUnavailableError, match="no kernel fits"):
        release(folder, Tools(trtexec, server, "a card"), tmp_path / "timing.cache")
    assert sorted(folder.rglob("*")) == before


def test_without_a_gpu_the_command_says_what_it_needs_and_what_to_run() -> None:
    numpy_only = INSTALLED / "stub" / "bin"
    environment = {**os.environ, "PATH": str(numpy_only)}
    command = [str(numpy_only / "python"), "-m", "training.export.tensorrt"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no trtexec" in done.stderr
    assert "deploy/tensorrt/build.sh" in done.stderr
