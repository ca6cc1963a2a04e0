"""The gateway opens the model that its settings name, under the site's own recalibration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.cine.errors import ConfigError
from services.gateway.server import open_backend
from services.gateway.settings import GatewaySettings
from tests.unit.models.tiny_model import make_graph, write_model


def write_own(folder: Path, sha256: str) -> Path:
    path = folder / "own.json"
    path.write_text(json.dumps({"model_sha256": sha256, "temperature": 2.0, "abstain_below": 0.75}))
    return path


async def test_the_sites_threshold_is_served_where_there_is_one(tmp_path: Path) -> None:
    write_model(tmp_path, make_graph())
    plain = await open_backend(GatewaySettings(model_repository=tmp_path))
    path = write_own(tmp_path, plain.identity.sha256)
    own = await open_backend(GatewaySettings(model_repository=tmp_path, recalibration_file=path))
    assert plain.identity.abstain_below == 0.5
    assert own.identity.abstain_below == 0.75
    for backend in (plain, own):
        await backend.close()


async def test_a_recalibration_of_other_weights_stops_the_start(tmp_path: Path) -> None:
    write_model(tmp_path, make_graph())
    path = write_own(tmp_path, "0" * 64)
    with pytest.raises(ConfigError, match="recalibration"):
        await open_backend(GatewaySettings(model_repository=tmp_path, recalibration_file=path))
