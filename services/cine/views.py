"""The standard views, in the order every model and every table uses."""

from __future__ import annotations

from enum import StrEnum


class View(StrEnum):
    """An acquisition plane of transthoracic echocardiography (ASE 2019 nomenclature)."""

    A2C = "A2C"
    A4C = "A4C"
    PLAX = "PLAX"
    PSAX = "PSAX"
    OTHER = "OTHER"


TARGET_VIEWS = (View.A2C, View.A4C, View.PLAX, View.PSAX)
"""The four views a classifier answers with, in the order of its outputs."""
