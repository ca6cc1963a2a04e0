"""The manifest as a table, and the same every time."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow.parquet
import pytest

from services.synthesis.contact_sheet import COLUMNS, draw_sheet
from services.synthesis.ledger import ImageRow
from services.synthesis.manifest import MANIFEST, TABLE, Origin, describe, file_name, to_files
from services.synthesis.plan import SHARD_IMAGES, ImageFormat, Order, count_per_view, order_of, plan
from tests.unit.synthesis.making import IDENTITY, STYLES, made_of, studio


async def batch(order: Order) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Make a batch in memory: its manifest and its files."""
    made = await made_of(order, studio())
    names = [file_name(each.unit, SHARD_IMAGES, order.format) for each in made]
    rows = [
        ImageRow(each.unit.index, each.unit.attempt, name, each.artefact.sha256, len(each.artefact.data), "an index")
        for each, name in zip(made, names, strict=True)
    ]
    files = {name: each.artefact.data for name, each in zip(names, made, strict=True)}
    return describe(order, plan(order), rows, Origin(IDENTITY, "# card")), files


async def test_the_table_holds_the_images_and_its_metadata_the_rest() -> None:
    manifest, _ = await batch(order_of(count_per_view(3, STYLES), 2**53 - 1))
    table = pyarrow.parquet.read_table(io.BytesIO(to_files(manifest)[TABLE]))
    assert table.to_pylist() == manifest["images"]
    rest = json.loads(table.schema.metadata[b"echoplane"])
    assert rest | {"images": manifest["images"]} == manifest


async def test_a_manifest_is_the_same_every_time_and_comes_last() -> None:
    order = order_of(count_per_view(2), 1)
    files = to_files((await batch(order))[0])
    assert files == to_files((await batch(order))[0])
    assert list(files)[-1] == MANIFEST
    assert json.loads(files[MANIFEST]) == (await batch(order))[0]


def test_a_folder_never_has_more_files_than_a_shard_and_every_file_its_own_name() -> None:
    units = plan(order_of(count_per_view(300), 0))
    names = [file_name(unit, SHARD_IMAGES, ImageFormat.DICOM) for unit in units]
    folders = [name.split("/")[0] for name in names]
    assert len(set(names)) == len(units)
    assert max(folders.count(folder) for folder in set(folders)) == SHARD_IMAGES
    assert names[0] == f"00000/0000000_{units[0].cell.view}.dcm"


@pytest.mark.parametrize("image_format", ImageFormat)
async def test_a_sheet_shows_the_first_images_of_every_cell(image_format: ImageFormat) -> None:
    manifest, files = await batch(order_of(count_per_view(2 * COLUMNS + 2, STYLES), 1, image_format))
    sheet = draw_sheet(manifest, files.__getitem__)
    rows, height = 4 * len(STYLES), sheet.shape[0] // (4 * len(STYLES))
    assert sheet.shape == (rows * height, COLUMNS * 112, 3)
    for row in range(rows):
        tiles = sheet[(row + 1) * height - 112 : (row + 1) * height]
        assert tiles[:, :112].std() > 20
        assert (tiles[:, :112] != tiles[:, -112:]).mean() > 0.5
