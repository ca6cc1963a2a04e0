"""Write model cards: what weights were made of, what they are worth, and what they are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it, in Markdown."""

    heading: str
    body: str


def write_card(title: str, opening: str, sections: Sequence[Section]) -> str:
    """Put a card together."""
    parts = [f"# {title}\n\n{opening.strip()}\n"]
    parts += [f"## {section.heading}\n\n{section.body.strip()}\n" for section in sections]
    return "\n".join(parts)


def write_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Write a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def say_minutes(seconds: float) -> str:
    """Write a duration as people say it."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
