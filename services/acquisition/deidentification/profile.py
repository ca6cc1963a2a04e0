"""What the Basic Application Level Confidentiality Profile does to each attribute (PS3.15 table E.1-1).

The table is dicom-anonymizer's, which is made from the standard's text. Two of its lines are not there: private
attributes, which nothing here ever keeps, and the preamble with the file meta information, which are written anew.
"""

from __future__ import annotations

from enum import Enum
from functools import cache

from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table

_ALL_BITS = 0xFFFF


class Action(Enum):
    """What is done to an attribute of an ultrasound image.

    Of the alternatives that the table leaves open the image object definitions (PS3.3 A.6, A.7) settle one: all that is
    not of type 1 or 2 there goes. A replacement value (D) is nowhere needed: what demands one belongs to other objects
    and is removed from an image (PS3.15 E.1.1, note 13).
    """

    REPLACE_UID = "U"
    EMPTY = "Z"
    CLEAN_REFERENCES = "X/Z/U*"
    REMOVE = "X"


_ACTIONS = (
    (Action.REPLACE_UID, table.U_TAGS),
    (Action.EMPTY, table.Z_TAGS + table.Z_D_TAGS),
    (Action.CLEAN_REFERENCES, table.X_Z_U_STAR_TAGS),
    (Action.REMOVE, table.X_TAGS + table.D_TAGS + table.X_Z_TAGS + table.X_D_TAGS + table.X_Z_D_TAGS),
)


def action_on(tag: int) -> Action | None:
    """Tell what the profile does to an attribute; None where its table does not name it.

    Args:
        tag: group and element number. The two bytes of a repeating group (50xx, 60xx) may be any.
    """
    group, element = tag >> 16, tag & _ALL_BITS
    for wanted_group, wanted_element, group_bits, element_bits in _repeating():
        if group & group_bits == wanted_group and element & element_bits == wanted_element:
            return Action.REMOVE
    return _single().get(tag)


@cache
def _single() -> dict[int, Action]:
    return {entry[0] << 16 | entry[1]: action for action, entries in _ACTIONS for entry in entries if len(entry) == 2}


@cache
def _repeating() -> tuple[tuple[int, int, int, int], ...]:
    return tuple(entry for entry in table.X_TAGS if len(entry) == 4)
