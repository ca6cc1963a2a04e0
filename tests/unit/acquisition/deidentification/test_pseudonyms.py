"""Stand-ins for UIDs."""

from __future__ import annotations

import pytest
from pydicom.uid import UID

from services.acquisition.deidentification.pseudonyms import LEAST_KEY_BYTES, Pseudonyms
from services.cine.errors import ConfigError

KEY, OTHER_KEY = bytes(range(32)), bytes(32)


def test_the_same_uid_has_the_same_stand_in() -> None:
    assert Pseudonyms(KEY).uid(b"1.2.3") == Pseudonyms(KEY).uid(b"1.2.3\0") == Pseudonyms(KEY).uid(b"1.2.3 ")


def test_other_uids_and_other_keys_give_other_stand_ins() -> None:
    made = {Pseudonyms(key).uid(original) for key in (KEY, OTHER_KEY) for original in (b"1.2.3", b"1.2.30", b"1.2.4")}
    assert len(made) == 6


@pytest.mark.parametrize("original", [b"1.2.3", b"", b"NOT A UID", b"9" * 64])
def test_a_stand_in_is_a_valid_uid(original: bytes) -> None:
    made = UID(Pseudonyms(KEY).uid(original))
    assert made.is_valid
    assert made.startswith("2.25.")


def test_a_short_key_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        Pseudonyms(b"secret")
    assert str(LEAST_KEY_BYTES) in str(caught.value)
    assert "secret" not in str(caught.value)
