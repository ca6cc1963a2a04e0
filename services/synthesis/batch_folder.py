"""The folder of a batch that a command line makes: its name, and the contact sheet beside its manifest."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import cv2

from services.models.repository import ModelIdentity
from services.synthesis.contact_sheet import draw_sheet
from services.synthesis.manifest import MANIFEST
from services.synthesis.plan import Order
from services.synthesis.store import Store

SHEET = "contact_sheet.png"


def batch_name(order: Order, model: ModelIdentity, copy_index: str) -> str:
    """Name the folder of a batch: the same for the same order, weights and copy index."""
    text = f"{model.sha256} {copy_index} {order.to_json()}"
    return f"batch-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def save_sheet(store: Store, folder: str) -> None:
    """Draw a batch's contact sheet beside its manifest.

    Raises:
        StorageError: it cannot be written; the batch is whole all the same.
    """
    manifest: dict[str, Any] = json.loads(store.get(f"{folder}/{MANIFEST}"))
    sheet = draw_sheet(manifest, lambda name: store.get(f"{folder}/{name}"))
    data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes()
    store.put(f"{folder}/{SHEET}", data)
