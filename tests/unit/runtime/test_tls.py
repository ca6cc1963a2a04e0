"""PEM files of the settings: those that do not fit stop the start with a sentence that names their settings."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from services.cine.errors import ConfigError
from services.runtime.tls import client_tls, server_tls

NAMES = "LAMP_CA_FILE and LAMP_TLS_KEY_FILE"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    authority = trustme.CA()
    mine, other = authority.issue_cert("lamp.test"), authority.issue_cert("other.test")
    contents = {
        "authority": authority.cert_pem,
        "own": mine.cert_chain_pems[0],
        "key": mine.private_key_pem,
        "other_key": other.private_key_pem,
    }
    for name, pem in contents.items():
        pem.write_to_path(tmp_path / name)
    (tmp_path / "text").write_text("no PEM")
    return {name: tmp_path / name for name in (*contents, "text", "missing")}


def test_a_server_asks_for_certificates_where_it_has_their_authority(files: dict[str, Path]) -> None:
    assert server_tls("LAMP_", files["own"], files["key"], files["authority"]).verify_mode is ssl.CERT_REQUIRED
    assert server_tls("LAMP_", files["own"], files["key"], None).verify_mode is ssl.CERT_NONE


def test_a_client_holds_the_server_to_its_name(files: dict[str, Path]) -> None:
    context = client_tls(NAMES, files["authority"], files["own"], files["key"])
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize(
    ("own", "key", "authority"),
    [
        ("own", "other_key", "authority"),
        ("own", "key", "text"),
        ("text", "key", "authority"),
        ("own", "key", "missing"),
        ("missing", "key", "authority"),
    ],
)
def test_files_that_do_not_fit_are_told_with_their_settings(
    files: dict[str, Path], own: str, key: str, authority: str
) -> None:
    with pytest.raises(ConfigError, match=r"do not fit.*LAMP_TLS_CERTIFICATE_FILE"):
        server_tls("LAMP_", files[own], files[key], files[authority])
    with pytest.raises(ConfigError, match=f"do not fit.*{NAMES}"):
        client_tls(NAMES, files[authority], files[own], files[key])
