"""A real Triton server on twins of this repository's models.

The server comes from `tests/integration/triton/install.sh`. Without it these tests fail; they never skip.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.integration.smoke_student import make_student
from tests.integration.triton.twins import INSTALLED, make_twin, triton_command, triton_environment
from training.export.triton_process import TritonProcess, run_triton

Serve = Callable[[Path], AbstractContextManager[TritonProcess]]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Run a real server on a repository; it must end with exit code 0 and leave no shared memory behind."""
    assert (INSTALLED / "installed").is_file(), "Triton is not installed: run tests/integration/triton/install.sh"

    @contextmanager
    def serve_repository(repository: Path) -> Iterator[TritonProcess]:
        prefix = f"echoplane_{uuid.uuid4().hex[:8]}"
        log = tmp_path_factory.mktemp("triton") / "server.log"
        with run_triton(triton_command(prefix), repository, log, triton_environment()) as server:
            yield server
        assert server.process.returncode == 0, log.read_text()
        assert not list(Path("/dev/shm").glob(f"{prefix}*"))

    return serve_repository


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train, distil and export a generator of seconds; gives its folder in a repository of its own."""
    folder = tmp_path_factory.mktemp("student")
    return make_student(folder, folder / "models")


@pytest.fixture(scope="session")
def triton(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonProcess]:
    """Serve the view classifier, and three that are as it should not be: `slow`, `narrow` and `foreign`."""
    folder = tmp_path_factory.mktemp("repository")
    make_twin(folder)
    make_twin(folder, "slow", {"delay_s": "1.0"})
    make_twin(folder, "narrow", {"delay_s": "0.5"}, queue_size=1)
    make_twin(folder, "foreign", {"preprocessing": "of another version"})
    with serve(folder) as server:
        yield server
