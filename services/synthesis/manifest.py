"""What a batch consists of, in files that are the same for the same order and model: the manifest is the last."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.models.repository import ModelIdentity
from services.synthesis.artefacts import NOTICE
from services.synthesis.ledger import ImageRow
from services.synthesis.plan import ImageFormat, Order, Unit

MANIFEST = "manifest.json"
"""Is there once everything else is."""

TABLE = "manifest.parquet"
LABELS = "labels.csv"
PUBLISHED = (LABELS, TABLE, MANIFEST)
_VERSION = "echoplane.synthetic/1"
_UNCHECKED = (
    "No copy filter: whether an image is a copy of one that the generator was trained on was not looked at. "
    "Treat the images as you would treat its training data."
)
_COLUMNS = ("index", "file", "view", "style", "seed", "replaced", "sha256", "size_bytes", "copy_check")


@dataclass(frozen=True)
class Origin:
    """Who made a batch.

    Attributes:
        model: the generator.
        card: its model card, in Markdown; empty where it is not at hand.
    """

    model: ModelIdentity
    card: str = ""


def file_name(unit: Unit, shard_size: int, image_format: ImageFormat) -> str:
    """Name an image's file, below its batch's folder."""
    suffix = "dcm" if image_format is ImageFormat.DICOM else "png"
    return f"{unit.index // shard_size:05d}/{unit.index:07d}_{unit.cell.view}.{suffix}"


def describe(order: Order, units: Sequence[Unit], rows: Sequence[ImageRow], origin: Origin) -> dict[str, Any]:
    """Make the manifest.

    Args:
        order: what was wanted.
        units: the plan.
        rows: what is there, a row a unit, in the same order.
        origin: who made it.

    Raises:
        ValueError: the images were not all held against the same copy index.
    """
    (copy_index,) = {row.copy_index for row in rows}
    images = [dict(zip(_COLUMNS, _values(unit, row), strict=True)) for unit, row in zip(units, rows, strict=True)]
    counts = Counter((unit.cell.view, unit.cell.style) for unit in units)
    return {
        "format": _VERSION,
        "notice": NOTICE,
        "warnings": [] if copy_index else [_UNCHECKED],
        "seed": order.seed,
        "image_format": order.format,
        "total": len(images),
        "counts": [{"view": view, "style": style, "count": count} for (view, style), count in sorted(counts.items())],
        "model": {
            "name": origin.model.name,
            "version": origin.model.version,
            "sha256": origin.model.sha256,
            "trained_on": origin.model.trained_on,
            "styles": list(origin.model.styles),
            "card": origin.card,
        },
        "copy_filter": {"index": copy_index or None, "replaced": sum(row.attempt for row in rows)},
        "images": images,
    }


def _values(unit: Unit, row: ImageRow) -> tuple[object, ...]:
    cell, seed = unit.cell, unit.seed
    check = "passed" if row.copy_index else "not_done"
    return row.index, row.name, cell.view, cell.style, seed, row.attempt, row.sha256, row.size_bytes, check


def to_files(manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """Write a manifest as files, by name, the one that must be published last at the end."""
    return {
        LABELS: _labels(manifest["images"]),
        TABLE: _table(manifest),
        MANIFEST: json.dumps(manifest, indent=1).encode(),
    }


def _labels(images: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    columns = ("file", "view", "style", "seed")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(images)
    return text.getvalue().encode()


def _table(manifest: Mapping[str, Any]) -> bytes:
    """Write a row an image; all the rest of the manifest is the table's metadata."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist([dict(image) for image in manifest["images"]])
    rest = json.dumps({key: value for key, value in manifest.items() if key != "images"})
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(table.replace_schema_metadata({"echoplane": rest}), sink)
    return bytes(sink.getvalue())
