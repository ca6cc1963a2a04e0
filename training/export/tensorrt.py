"""Build a TensorRT plan on the GPU that will serve it, and put it live only if it answers like the ONNX model.

    deploy/tensorrt/build.sh            runs this file inside Triton's container

1. Triton serves model.onnx and must give the golden answers; it also tells the tensors' names and shapes.
2. trtexec builds model.plan, in half precision.
3. Triton serves the plan from a repository of its own; its answers at batch 1, golden and largest are held to the
   golden ones. Out of tolerance: once more from 2, in single precision.
4. The plan becomes the model's next version by one rename. Nothing live changes before that, and the former stays.

TensorRT is driven through trtexec and judged through tritonserver: the container has both, and they are what will run
the plan, while a Python binding would have to be installed and could be of another version.

Not yet verified on a GPU: trtexec itself and Triton's onnxruntime and tensorrt backends. The tests
run every line here, with a stand-in for trtexec and a real tritonserver that serves the same weights through another
backend.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from services.cine.errors import ConfigError, EchoplaneError, ModelContractError, ModelUnavailableError
from training.export.acceptance import TOLERANCES, Judgement, judge
from training.export.triton_process import FloatArray, run_triton

WORKSPACE_BYTES = 1 << 30
"""Scratch memory TensorRT may use; many times what a network of a few million weights needs."""

OPTIMAL_BATCH = 8
"""Frames of a typical request: the batch TensorRT picks its kernels for."""

CONTAINER_FOLDERS = ("/usr/src/tensorrt/bin", "/opt/tritonserver/bin")
"""Where Triton's container keeps its programs, beyond PATH."""

PRECISIONS = {"fp16": ("--fp16",), "fp32": ("--noTF32",)}
"""What to try, in this order, and how trtexec is told."""


@dataclass(frozen=True)
class Tools:
    """The programs this needs, and the graphics card it builds for."""

    trtexec: str
    tritonserver: str
    gpu: str


def profile(max_batch_size: int) -> dict[str, int]:
    """Give the batch sizes that TensorRT plans for: smallest, typical and largest."""
    return {"min": 1, "opt": min(OPTIMAL_BATCH, max_batch_size), "max": max_batch_size}


def shapes_argument(shapes: Mapping[str, tuple[int, ...]], batch: int) -> str:
    """Spell tensors' shapes the way trtexec and onnxruntime read them: `frames:8x1x112x112`."""
    return ",".join(f"{name}:{'x'.join(map(str, (batch, *shape)))}" for name, shape in shapes.items())


def build_command(trtexec: str, onnx: Path, plan: Path, timing_cache: Path, shapes: Mapping[str, str]) -> list[str]:
    """Spell the build, without the precision's own flags.

    Args:
        trtexec: the program.
        onnx: what to read.
        plan: what to write.
        timing_cache: of this card: makes the next build quick, and gives it the same kernels.
        shapes: shapes argument of the smallest, typical and largest batch, by "min", "opt" and "max".
    """
    return [
        trtexec,
        f"--onnx={onnx}",
        f"--saveEngine={plan}",
        *(f"--{bound}Shapes={argument}" for bound, argument in shapes.items()),
        f"--memPoolSize=workspace:{WORKSPACE_BYTES >> 20}",
        f"--timingCacheFile={timing_cache}",
        "--builderOptimizationLevel=4",
        "--skipInference",
    ]


def release(folder: Path, tools: Tools, timing_cache: Path) -> Path:
    """Do the four steps of this file's first lines.

    Args:
        folder: of the model, in the live repository.
        tools: what to build and judge with.
        timing_cache: of this card; made when missing.

    Returns:
        The new version's folder.

    Raises:
        ModelContractError: no plan came within tolerance, or model.onnx itself did not.
        ModelUnavailableError: a program failed.
    """
    onnx = newest(folder) / "model.onnx"
    with np.load(onnx.parent / "golden.npz") as file:
        golden = {name: file[name] for name in file.files}
    with tempfile.TemporaryDirectory(prefix="echoplane-plan-") as name:
        work = Path(name)
        judgement, shapes = _judge_served(folder, onnx, [tools.tritonserver], work / "onnx", golden)
        _report("model.onnx", judgement, "tf32")
        if not judgement.is_within(TOLERANCES["tf32"]):
            raise _refused("model.onnx, served on this machine,")
        for precision, flags in PRECISIONS.items():
            plan = work / f"{precision}.plan"
            _run([*build_command(tools.trtexec, onnx, plan, timing_cache, shapes), *flags])
            command = [tools.tritonserver, "--model-config-name=plan"]
            judgement, _ = _judge_served(folder, plan, command, work / precision, golden)
            _report(f"{precision} plan", judgement, precision)
            if judgement.is_within(TOLERANCES[precision]):
                return publish(plan, folder, {"precision": precision, "gpu": tools.gpu, **asdict(judgement)})
    raise _refused("every plan")


def publish(plan: Path, folder: Path, record: Mapping[str, object]) -> Path:
    """Make a plan the model's next version, by one rename.

    The new version also holds model.onnx and golden.npz, so that every configuration can serve it and the embedded
    backend reads the same weights. To roll back, rename its folder to something that is no number.

    Args:
        plan: built and accepted.
        folder: of the model, in the live repository.
        record: what stands behind the plan; becomes plan.json.

    Returns:
        The new version's folder.
    """
    former = newest(folder)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=folder))
    try:
        for name in ("model.onnx", "golden.npz"):
            shutil.copyfile(former / name, staging / name)
        shutil.copyfile(plan, staging / "model.plan")
        digest = hashlib.sha256(plan.read_bytes()).hexdigest()
        (staging / "plan.json").write_text(json.dumps({**record, "sha256": digest}, indent=2) + "\n")
        staging.chmod(0o755)
        return staging.rename(folder / str(int(former.name) + 1))
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def newest(folder: Path) -> Path:
    """Give the folder of the highest version.

    Raises:
        ConfigError: there is none.
    """
    versions = [path for path in folder.glob("*") if path.name.isdigit() and (path / "model.onnx").is_file()]
    if not versions:
        raise ConfigError(
            found=f"no {folder}/<number>/model.onnx",
            expected="an exported model",
            advice="Run `echoplane export` first.",
        )
    return max(versions, key=lambda path: int(path.name))


def find_tools(folders: Iterable[str]) -> Tools:
    """Look for TensorRT, Triton and the graphics card's own program in some folders.

    Raises:
        ConfigError: one of them is not there.
    """
    path = os.pathsep.join(folders)
    found = {name: shutil.which(name, path=path) for name in ("trtexec", "tritonserver", "nvidia-smi")}
    missing = [name for name, program in found.items() if program is None]
    if missing:
        raise ConfigError(
            found=f"no {', no '.join(missing)}",
            expected="Triton's container on the NVIDIA GPU that will serve the plan: a plan fits one kind of card only",
            advice="On that machine, with Docker and the NVIDIA container toolkit, run: deploy/tensorrt/build.sh",
        )
    gpu = _run([str(found["nvidia-smi"]), "--query-gpu=name", "--format=csv,noheader"]).strip()
    return Tools(str(found["trtexec"]), str(found["tritonserver"]), gpu)


def main(arguments: list[str] | None = None) -> int:
    """Build, judge and publish one model's plan; give the exit code."""
    parser = argparse.ArgumentParser(description="Build a TensorRT plan, check it, and put it live.")
    parser.add_argument("--repository", type=Path, default=Path("model_repository"), help="the live model repository")
    parser.add_argument("--model", default="view_classifier", help="which of its models")
    parser.add_argument("--timing-cache", type=Path, default=Path(".cache/tensorrt/timing.cache"), help="of this card")
    chosen = parser.parse_args(arguments)
    try:
        tools = find_tools([*os.get_exec_path(), *CONTAINER_FOLDERS])
        chosen.timing_cache.parent.mkdir(parents=True, exist_ok=True)
        version = release(chosen.repository / chosen.model, tools, chosen.timing_cache)
    except EchoplaneError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    print(json.dumps({"live": str(version), **json.loads((version / "plan.json").read_text())}))
    return 0


def _judge_served(
    folder: Path, weights: Path, command: list[str], work: Path, golden: Mapping[str, FloatArray]
) -> tuple[Judgement, dict[str, str]]:
    """Serve weights from a repository of their own; give how they answer, and the shapes to build for."""
    candidate = work / folder.name
    shutil.copytree(folder, candidate, ignore=lambda _, names: [name for name in names if name.isdigit()])
    (candidate / "1").mkdir()
    shutil.copyfile(weights, candidate / "1" / f"model{weights.suffix}")
    with run_triton(command, work, work.with_suffix(".log")) as server:
        config = server.config(folder.name)
        tensors = {tensor["name"]: tuple(int(size) for size in tensor["dims"]) for tensor in config["input"]}
        batches = profile(config["max_batch_size"])
        shapes = {bound: shapes_argument(tensors, batch) for bound, batch in batches.items()}
        return judge(server, folder.name, golden), shapes


def _run(command: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 - programs of the container
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise ModelUnavailableError(
            found=f"`{' '.join(command)}` ending with {done.returncode}:\n{done.stdout[-3000:]}",
            expected="0",
            advice="Nothing was published.",
        )
    return done.stdout


def _report(what: str, judgement: Judgement, precision: str) -> None:
    print(
        f"{what}: probabilities off by {judgement.probability_shift:.1e}, outputs by {judgement.relative_shift:.1e} of"
        f" their size (allowed {TOLERANCES[precision]:.0e})",
        file=sys.stderr,
    )


def _refused(what: str) -> ModelContractError:
    return ModelContractError(
        found=f"{what} out of tolerance", expected="the golden answers", advice="Nothing was published."
    )


if __name__ == "__main__":
    sys.exit(main())
