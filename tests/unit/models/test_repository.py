"""A model's card belongs to its weights."""

from __future__ import annotations

from pathlib import Path

from services.models.repository import read_card
from tests.unit.models.tiny_synthesizer import CARD, write_synthesizer

SHA = "ab" * 32


def test_a_card_is_told_for_its_own_weights_only(tmp_path: Path) -> None:
    folder = write_synthesizer(tmp_path, sha256=SHA)
    assert read_card(folder, SHA) == CARD
    assert read_card(folder, "cd" * 32) == ""


def test_a_model_whose_files_are_elsewhere_has_no_card_here(tmp_path: Path) -> None:
    assert read_card(tmp_path / "nowhere", SHA) == ""
    folder = write_synthesizer(tmp_path, sha256=SHA)
    (folder / "card.md").unlink()
    assert read_card(folder, SHA) == ""
    (folder / "config.pbtxt").write_text("{ this is none")
    assert read_card(folder, SHA) == ""
