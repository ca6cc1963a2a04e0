"""What deploy/edge/when_down.md says of certificates that have ended and of models that were changed."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
import trustme
import yaml

from deploy.demo.gateway import GatewayDidNotStartError, running_gateway
from services.client import CallError, Tls
from services.sync_client import SyncClient
from tests.builders import dicom_bytes, fan_frames, tiny_repository
from tests.certificates import DAY, Identity, issue
from tests.integration.nodes import Node, free_port, running_node, storescu, wait_for
from tests.integration.test_node_reports import PATIENCE_S, cine, is_sent


def site_files(folder: Path, authority: trustme.CA, own: Identity) -> dict[str, str]:
    """Write what the node of a site needs; give its settings."""
    (folder / "node.pem").write_bytes(own.pem)
    (folder / "node.key").write_bytes(own.key_pem)
    authority.cert_pem.write_to_path(folder / "authority")
    site = {"trials": {"EXAMPLE-1": ["PredictView"]}, "titles": ["CART"]}
    (folder / "sites.yaml").write_text(yaml.safe_dump({"sites": {"north": site}}))
    names = {"SITES_FILE": "sites.yaml", "TLS_CLIENT_CA_FILE": "authority", "GATEWAY_CA_FILE": "authority"}
    names |= {"TLS_CERTIFICATE_FILE": "node.pem", "TLS_KEY_FILE": "node.key"}
    return {"PROFILE": "site"} | {name: str(folder / file) for name, file in names.items()}


def gateway_files(folder: Path, authority: trustme.CA, ends: datetime.timedelta) -> dict[str, str]:
    """Write a certificate of the gateway that ends so long from now; give its settings."""
    own = authority.issue_cert("127.0.0.1", not_after=datetime.datetime.now(datetime.UTC) + ends)
    own.cert_chain_pems[0].write_to_path(folder / "gateway.pem")
    own.private_key_pem.write_to_path(folder / "gateway.key")
    names = {"SITES_FILE": "sites.yaml", "TLS_CLIENT_CA_FILE": "authority"}
    names |= {"TLS_CERTIFICATE_FILE": "gateway.pem", "TLS_KEY_FILE": "gateway.key"}
    return {"PROFILE": "site"} | {name: str(folder / file) for name, file in names.items()}


def sent_over_tls(node: Node, folder: Path, path: Path) -> bool:
    shown = ["+tls", f"{folder}/node.key", f"{folder}/node.pem", "+cf", f"{folder}/authority"]
    return "0x0000: Success" in storescu(node, *shown, path).stderr


def test_while_the_gateways_certificate_has_ended_the_node_keeps_what_comes(tmp_path: Path) -> None:
    authority, port = trustme.CA(), str(free_port())
    own = issue(authority, "north")
    settings = site_files(tmp_path, authority, own) | {"GATEWAY_ADDRESS": f"127.0.0.1:{port}"}
    gateway_own = {"PORT": port} | gateway_files(tmp_path, authority, -DAY)
    path, _ = cine(tmp_path)
    with running_node(tmp_path, settings) as node:
        with running_gateway(tmp_path / "expired.log", gateway_own) as expired:
            assert sent_over_tls(node, tmp_path, path)
            wait_for(lambda: [e for e in node.events() if e["event"] == "object_stopped"], PATIENCE_S)
            tls = Tls(authority.cert_pem.bytes(), own.pem, own.key_pem)
            with SyncClient(expired.address, tls) as client, pytest.raises(CallError, match="no gateway"):
                client.predict_view(path)
        with running_gateway(tmp_path / "renewed.log", {"PORT": port} | gateway_files(tmp_path, authority, DAY)):
            wait_for(node.reports, PATIENCE_S)


def test_each_answer_names_the_model_that_gave_it_also_after_a_change(tmp_path: Path) -> None:
    port, named = str(free_port()), []
    models = [Path("model_repository"), tiny_repository(tmp_path / "models")]
    with running_node(tmp_path, {"GATEWAY_ADDRESS": f"127.0.0.1:{port}"}) as node:
        for number, repository in enumerate(models):
            with running_gateway(tmp_path / "log", {"PORT": port, "MODEL_REPOSITORY": str(repository)}) as gateway:
                assert is_sent(node, cine(tmp_path, number)[0])
                wait_for(lambda count=number: len(node.reports()) > count, PATIENCE_S)
                with SyncClient(gateway.address) as client:
                    named.append(client.predict_view(dicom_bytes(fan_frames())).model.sha256)
        kept = [json.loads(path.read_text()) for path in (node.inbox / "objects").glob("*.json")]
    assert len(set(named)) == 2
    assert {record["answer"]["model"]["sha256"] for record in kept} == set(named)


def test_weights_that_are_changed_under_a_gateway_stop_its_next_start_and_nothing_before(tmp_path: Path) -> None:
    own = {"MODEL_REPOSITORY": str(tiny_repository(tmp_path / "models"))}
    with running_gateway(tmp_path / "log", own) as gateway, SyncClient(gateway.address) as client:
        before = client.predict_view(dicom_bytes(fan_frames()))
        [weights] = tmp_path.rglob("model.onnx")
        weights.write_bytes(weights.read_bytes() + b"\0")
        assert client.predict_view(dicom_bytes(fan_frames())).model == before.model
    with pytest.raises(GatewayDidNotStartError, match="MODEL_CONTRACT"), running_gateway(tmp_path / "log", own):
        pass
