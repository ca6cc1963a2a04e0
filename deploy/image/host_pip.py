"""Carry this host's pip configuration into a build: write a pip.conf, and print the volumes it needs, one a line.

    python3 deploy/image/host_pip.py FOLDER

An index, a proxy or an authority of the host's network is honoured, and none of it stays in the image.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

KEYS = ("index-url", "extra-index-url", "find-links", "trusted-host", "proxy", "timeout", "default-timeout", "cert")
AUTHORITY = "/run/host-authority.crt"
"""Where the host's certificates lie during the build; not where Debian keeps its own, which apt rewrites."""


def read_configuration() -> dict[str, str]:
    """Ask pip what it is told, by files and by the environment; the environment wins."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, text=True, check=False
    )
    lines = [line.split("=", 1) for line in listed.stdout.splitlines() if "=" in line]
    lines.sort(key=lambda line: line[0].startswith(":env:"))
    found = {name.rpartition(".")[2]: value.strip("'\"") for name, value in lines}
    if authority := os.environ.get("SSL_CERT_FILE"):
        found.setdefault("cert", authority)
    return {key: found[key] for key in KEYS if key in found}


def local_folders(value: str) -> list[Path]:
    """Find the folders of this host that a value names; the files of an index lie beside its `simple`."""
    paths = [Path(word.removeprefix("file://")) for word in value.split() if word.startswith(("/", "file://"))]
    return [path.parent if path.name == "simple" else path for path in paths if path.exists()]


def main(folder: Path) -> None:
    """Write pip.conf and print the volumes."""
    configuration = read_configuration()
    volumes = []
    if authority := configuration.get("cert"):
        volumes.append(f"{authority}:{AUTHORITY}:ro")
        configuration["cert"] = AUTHORITY
    for key in ("extra-index-url", "find-links"):
        volumes += [f"{path}:{path}:ro" for path in local_folders(configuration.get(key, ""))]
    lines = [f"{key} = {value}\n" for key, value in configuration.items()]
    target = folder / "pip.conf"
    target.write_text("".join(["[global]\n", *lines]))
    print("\n".join([f"{target.resolve()}:/etc/pip.conf:ro", *volumes]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
