"""Stand-ins for UIDs: the same one for the same UID under one key, and no way back without it."""

from __future__ import annotations

import hmac
import uuid

from services.cine.errors import ConfigError

LEAST_KEY_BYTES = 32
"""As long as the hash: a shorter key is guessed before the hash is broken (RFC 2104 section 3)."""


class Pseudonyms:
    """Replaces UIDs by a keyed hash of them, so that references between objects of one site still match.

    Args:
        key: the site's secret, at least LEAST_KEY_BYTES of random bytes. Whoever has it can tell whether a UID that he
            knows is behind a stand-in.

    Raises:
        ConfigError: the key is too short.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < LEAST_KEY_BYTES:
            raise ConfigError(
                found=f"a key of {len(key)} bytes",
                expected=f"at least {LEAST_KEY_BYTES} random bytes",
                advice="Make one, for example with `openssl rand 32`, and keep it: another key gives other UIDs.",
            )
        self._key = key

    def uid(self, original: bytes) -> str:
        """Give the stand-in of a UID: HMAC-SHA256 as a UUID under the root 2.25 (PS3.5 B.2).

        Args:
            original: its bytes as they are stored; padding does not count.
        """
        digest = hmac.digest(self._key, original.strip(b"\0 "), "sha256")
        return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"
