"""The examples of deploy/examples, run as a user would against a gateway; the README shows one of them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from deploy.demo.gateway import Gateway, running_gateway
from tests.builders import dicom_bytes, fan_frames, still_frames, tiny_repository
from tests.unit.models.tiny_synthesizer import write_synthesizer

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "deploy" / "examples"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    write_synthesizer(tiny_repository(folder / "models"))
    (folder / "study.key").write_text("k" * 64)
    settings = {"MODEL_REPOSITORY": "models", "STUDY_KEY_FILE": "study.key", "STUDY_DATABASE": "studies.sqlite"}
    settings |= {"SYNTHESIS_OUTPUT": "out", "SYNTHESIS_LEDGER": "jobs.sqlite"}
    settings = {name: str(folder / value) for name, value in settings.items()}
    settings["TRIAL_PROTOCOL"] = str(ROOT / "deploy/trials/example.yaml")
    with running_gateway(folder / "log", settings) as running:
        yield running


def run(name: str, *arguments: str | Path) -> str:
    """Run an example; give what it prints."""
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_cine(gateway: Gateway) -> None:
    cine = str(get_testdata_file("examples_ybr_color.dcm", download=False))
    assert re.fullmatch(r"VIEW_\w+ [01]\.\d\d \[.*\]\n", run("predict_cine.py", cine, gateway.address))


def test_a_study_and_its_review(gateway: Gateway, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.dcm").write_bytes(dicom_bytes(fan_frames(seed=number)))
    (tmp_path / "still.dcm").write_bytes(dicom_bytes(still_frames()))
    said = run("send_study.py", tmp_path, "1.2.3.4", "S01-001", "baseline", gateway.address).splitlines()
    assert said[0].startswith("1 cines; still missing: ")
    assert any(line.startswith("4 cines; ") for line in said)
    assert any(line.startswith("  1 rejected: ") for line in said[-2:])


def test_a_batch(gateway: Gateway, tmp_path: Path) -> None:
    run("make_batch.py", tmp_path / "batch", "5", gateway.address)
    made = [path.stem.split("-")[1] for path in (tmp_path / "batch").iterdir()]
    assert Counter(made) == dict.fromkeys(["VIEW_A2C", "VIEW_A4C", "VIEW_PLAX", "VIEW_PSAX"], 5)


def test_every_example_is_run_here_and_the_readme_shows_the_first() -> None:
    tested = set(re.findall(r'run\("(\w+\.py)"', Path(__file__).read_text()))
    assert tested == {path.name for path in EXAMPLES.glob("*.py")}
    code = (EXAMPLES / "predict_cine.py").read_text().split('"""\n\n', 1)[1]
    assert f"```python\n{code}```" in (ROOT / "README.md").read_text()
