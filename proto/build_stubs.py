"""Generate the Python stubs of proto/ whenever the package is built, so that nobody edits or commits them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BuildStubs(BuildHookInterface[Any]):
    """Run protoc (grpcio-tools) and mypy-protobuf over every proto file."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write `*_pb2.py`, `*_pb2.pyi`, `*_pb2_grpc.py` and `*_pb2_grpc.pyi` beside each proto file.

        Raises:
            subprocess.CalledProcessError: protoc refused a file; its message is on stderr.
        """
        root = Path(self.root) / "proto"
        files = sorted(str(path.relative_to(root)) for path in root.glob("echoplane/**/*.proto"))
        outputs = [f"--{kind}_out={root}" for kind in ("python", "pyi", "grpc_python", "mypy_grpc")]
        subprocess.run(  # noqa: S603 - the build environment's own protoc
            [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={root}", *outputs, *files], check=True
        )
