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
"""The four views that a trial asks for."""

ANSWERED_VIEWS = (*TARGET_VIEWS, View.OTHER)
"""What a classifier answers with, in the order of its outputs: one of the four, or that it is none of them."""
