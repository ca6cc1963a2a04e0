"""The DICOM node in the profile site: listed titles with their site's certificate, and nobody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme
import yaml

from services.acquisition.guard import GuardLimits
from tests.certificates import DAY, Identity, issue
from tests.integration.nodes import Node, echoscu, running_node, storescu, wait_for
from tests.unit.acquisition.cases import source_bytes

HALF_OPEN = 600
SITES = {"north": ["NORTH_CART"], "south": ["SOUTH_CART"]}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def lost(authority: trustme.CA) -> Identity:
    return issue(authority, "north")


@pytest.fixture(scope="module")
def node(authority: trustme.CA, lost: Identity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    folder = tmp_path_factory.mktemp("site")
    own = authority.issue_cert("127.0.0.1")
    own.cert_chain_pems[0].write_to_path(folder / "certificate")
    own.private_key_pem.write_to_path(folder / "key")
    authority.cert_pem.write_to_path(folder / "authority")
    sites = {name: {"trials": {}, "titles": titles} for name, titles in SITES.items()}
    sites["north"]["denied_fingerprints"] = [lost.fingerprint]
    (folder / "sites.yaml").write_text(yaml.safe_dump({"sites": sites}))
    files = {"SITES_FILE": "sites.yaml", "TLS_CLIENT_CA_FILE": "authority"}
    files |= {"TLS_CERTIFICATE_FILE": "certificate", "TLS_KEY_FILE": "key"}
    with running_node(folder, {"PROFILE": "site"} | {name: str(folder / file) for name, file in files.items()}) as run:
        yield run


def tls(folder: Path, authority: trustme.CA, identity: Identity) -> list[str]:
    """Write what dcmtk needs to show a certificate, and give the options that name it."""
    authority.cert_pem.write_to_path(folder / "authority")
    (folder / "key").write_bytes(identity.key_pem)
    (folder / "certificate").write_bytes(identity.pem)
    return ["+tls", str(folder / "key"), str(folder / "certificate"), "+cf", str(folder / "authority")]


@pytest.mark.parametrize("site", SITES)
def test_a_listed_title_of_the_certificates_site_is_let_in(
    node: Node, authority: trustme.CA, tmp_path: Path, site: str
) -> None:
    shown = tls(tmp_path, authority, issue(authority, site))
    for other, [title] in SITES.items():
        assert echoscu(node, *shown, title=title) is (other == site)
    assert not echoscu(node, *shown, title="CART")


def test_whoever_shows_no_good_certificate_is_not(
    node: Node, authority: trustme.CA, lost: Identity, tmp_path: Path
) -> None:
    strangers = (issue(trustme.CA(), "north"), issue(authority, "north", ends=-DAY), issue(authority, "west"), lost)
    for stranger in strangers:
        assert not echoscu(node, *tls(tmp_path, authority, stranger), title="NORTH_CART")
    assert not echoscu(node, title="NORTH_CART"), "in plain text"
    assert not echoscu(node, "+tla", "+cf", str(tmp_path / "authority"), title="NORTH_CART"), "no certificate"


def test_with_half_open_handshakes_it_answers_and_lets_them_go(
    node: Node, authority: trustme.CA, tmp_path: Path
) -> None:
    shown, begun = tls(tmp_path, authority, issue(authority, "north")), b"\x16\x03\x01\x02\x00\x01"
    before = descriptors(node)
    with ExitStack() as opened:
        for sent in [b"", begun[:1], begun] * (HALF_OPEN // 3):
            peer = opened.enter_context(socket.create_connection(("127.0.0.1", node.port)))
            peer.sendall(sent)
        assert echoscu(node, *shown, title="NORTH_CART")
        wait_for(lambda: descriptors(node) <= before + GuardLimits.max_waiting, 10.0)
    wait_for(lambda: descriptors(node) <= before, 10.0)


def descriptors(node: Node) -> int:
    """Count what the node holds open."""
    return len(list(Path(f"/proc/{node.process.pid}/fd").iterdir()))


def test_two_sites_may_send_the_same(node: Node, authority: trustme.CA, tmp_path: Path) -> None:
    path = tmp_path / "cine.dcm"
    path.write_bytes(source_bytes())
    for site, [title] in SITES.items():
        shown = tls(tmp_path, authority, issue(authority, site))
        for _ in range(2):
            assert "0x0000: Success" in storescu(node, *shown, path, title=title).stderr
    assert len(node.objects()) == len(SITES)
    reasons = {event.get("reason") for event in node.events() if event["event"] == "association_refused"}
    assert reasons <= {"TITLE_DENIED", "SITE_DENIED", "CERTIFICATE_DENIED"}
