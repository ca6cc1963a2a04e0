"""A console and a gateway as processes of their own, and Chromium to look at them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from deploy.demo.gateway import Gateway, running_gateway

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
CHROMIUM = "/usr/bin/chromium"
ROOT = Path(__file__).parents[2]
PROTOCOL = ROOT / "deploy" / "trials" / "example.yaml"

QUIET = (
    *("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-default-apps"),
    *("--disable-domain-reliability", "--disable-sync", "--no-default-browser-check", "--no-first-run", "--no-pings"),
    *("--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider", "--metrics-recording-only"),
)
"""Chromium's own conversations are none of ours; tests run as root, where its sandbox does not start."""


@dataclass(frozen=True)
class Console:
    """A console that runs.

    Attributes:
        url: of its page.
        process: itself.
        log: where its log lines go.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def running_console(folder: Path, gateway_address: str, settings: Mapping[str, str] | None = None) -> Iterator[Console]:
    """Start a console, and stop it with SIGTERM at the end if it still runs.

    Args:
        folder: of its log.
        gateway_address: host:port of the gateway.
        settings: names of settings without their prefix, in capitals, and their values.
    """
    given = {"PORT": "0", "GATEWAY_ADDRESS": gateway_address} | dict(settings or {})
    environment = dict(os.environ) | {f"ECHOPLANE_CONSOLE_{name}": value for name, value in given.items()}
    log = folder / "console.log"
    with log.open("wb") as sink:
        command = [sys.executable, "-m", "services.acquisition.console"]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=sink)
    try:
        yield Console(_url(process, log), process, log)
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)


@contextmanager
def gateway_with_studies(folder: Path, models: Path, settings: Mapping[str, str] | None = None) -> Iterator[Gateway]:
    """Start a gateway that keeps the studies of the example's trial in a folder."""
    key = folder / "study.key"
    key.write_bytes(bytes(range(32)))
    given = {
        "MODEL_REPOSITORY": str(models),
        "TRIAL_PROTOCOL": str(PROTOCOL),
        "STUDY_KEY_FILE": str(key),
        "STUDY_DATABASE": str(folder / "studies.sqlite"),
    }
    with running_gateway(folder / "gateway.log", given | dict(settings or {})) as gateway:
        yield gateway


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET])
        try:
            yield browser
        finally:
            browser.close()


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if line.endswith("}") and '"console_serving"' in line:
                return str(json.loads(line)["url"])
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    raise AssertionError(log.read_text())
