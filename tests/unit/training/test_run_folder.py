"""What a run keeps in its folder is there whole at every moment, so that a kill at any of them leaves what goes on."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from services.cine.errors import ConfigError
from training.diffusion.config import DiffusionConfig, load_preset
from training.json_file import write_json
from training.run_folder import CONFIG_FILE, add_up, keep_config

READS = 150


def read_meanwhile(path: Path, write: Callable[[], object]) -> list[object]:
    """Write again and again, and give what a reader found all the while: what a kill would have left."""
    ended = Event()

    def go_on() -> None:
        while not ended.is_set():
            write()

    write()
    writer = Thread(target=go_on)
    writer.start()
    try:
        return [json.loads(path.read_text()) for _ in range(READS)]
    finally:
        ended.set()
        writer.join()


def test_a_reader_never_meets_half_a_file(tmp_path: Path) -> None:
    value = {"numbers": list(range(2000))}
    path = tmp_path / "value.json"
    assert all(found == value for found in read_meanwhile(path, lambda: write_json(path, value)))


def test_time_spent_is_there_whenever_a_run_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "rendering.json"
    spent = [found["spent_s"] for found in read_meanwhile(path, lambda: add_up(path, 1.0))]
    assert spent == sorted(spent)


def test_a_config_that_was_cut_by_a_kill_was_never_under_its_name(tmp_path: Path) -> None:
    config = load_preset("smoke", DiffusionConfig)
    (tmp_path / "config.123.part").write_text('{"recipe": "smo')
    keep_config(config, tmp_path)
    keep_config(config, tmp_path)
    assert json.loads((tmp_path / CONFIG_FILE).read_text())["recipe"] == "smoke"
    with pytest.raises(ConfigError, match="another configuration"):
        keep_config(replace(config, recipe="other"), tmp_path)


def test_what_json_does_not_know_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, [1])
    with pytest.raises(TypeError):
        write_json(path, [object()])
    assert json.loads(path.read_text()) == [1]
