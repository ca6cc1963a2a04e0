"""What is built and installed is whole: beside the code all that it reads at run time as files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from tests.browser.consoles import running_console

ROOT = Path(__file__).parents[2]
NEEDED = (".gitignore", "pyproject.toml", "README.md", "LICENSE", "proto", "services", "training")
"""What the Dockerfile builds the wheel of, and what would leave the stubs out of one that is built elsewhere."""

ROOMS = ("services", "training")
OURS = shutil.ignore_patterns("__pycache__", "*_pb2*")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel of a copy, as pip does: by the build backend and its hook."""
    source = tmp_path_factory.mktemp("source")
    for name in NEEDED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=OURS)
        else:
            shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", "dist"]
    here = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}  # of the hook's protoc plugins
    done = subprocess.run(command, cwd=source, env=here, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = (source / "dist").iterdir()
    return zipfile.ZipFile(built)


def test_every_file_of_the_rooms_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """Also presets, sources, templates and tables, which are no Python."""
    command = ["git", "-C", str(ROOT), "ls-files", *ROOMS]
    kept = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert {Path(name).suffix for name in kept} >= {".py", ".js", ".css", ".html", ".svg", ".yaml", ".csv", ".jinja"}
    assert kept - set(wheel.namelist()) == set()


def test_the_stubs_are_in_the_wheel_and_nobodys_tests_are(wheel: zipfile.ZipFile) -> None:
    stubs = {f"echoplane/v1/{path.stem}_pb2{end}.py" for path in ROOT.glob("proto/**/*.proto") for end in ("", "_grpc")}
    assert len(stubs) >= 6
    assert stubs <= set(wheel.namelist())
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {*ROOMS, "echoplane"}


def test_the_page_is_served_from_an_installed_wheel(
    wheel: zipfile.ZipFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel.extractall(tmp_path)
    pages = tmp_path / "services" / "acquisition" / "console" / "static"
    (pages / "mark.svg").write_text("not in the repository")
    monkeypatch.chdir(tmp_path)  # from which Python takes modules first
    with running_console(tmp_path, "127.0.0.1:1") as console:
        for page in pages.iterdir():
            with urllib.request.urlopen(console.url + page.name) as answer:
                assert answer.read() == page.read_bytes()
