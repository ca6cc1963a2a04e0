"""What `echoplane serve` would start, and what it refuses before it starts anything."""

from __future__ import annotations

import pytest

from services.cine.errors import ConfigError
from services.serving import PARTS, plan

TLS = ("TLS_CERTIFICATE_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE", "SITES_FILE")
SITE = {f"ECHOPLANE_{part}_{name}": "file" for part in ("GATEWAY", "NODE") for name in TLS}
SITE |= {f"ECHOPLANE_{part}_PROFILE": "site" for part in ("GATEWAY", "NODE")}
SITE |= {"ECHOPLANE_NODE_PSEUDONYM_KEY_FILE": "file"}


def test_every_part_is_a_module_with_settings() -> None:
    names = [place.part.name for place in plan([], {})]
    assert names == [part.name for part in PARTS] == ["gateway", "node", "console"]


def test_the_node_is_told_where_the_gateway_is_unless_it_knows() -> None:
    _, node = plan(["gateway", "node"], {"ECHOPLANE_GATEWAY_PORT": "50099"})
    assert node.settings.gateway_address == "127.0.0.1:50099"
    assert node.environment["ECHOPLANE_NODE_GATEWAY_ADDRESS"] == "127.0.0.1:50099"
    given = {"ECHOPLANE_GATEWAY_PORT": "50099", "ECHOPLANE_NODE_GATEWAY_ADDRESS": "gateway.example:1"}
    assert plan(["gateway", "node"], given)[1].settings.gateway_address == "gateway.example:1"


def test_a_gateway_that_listens_everywhere_is_reached_on_loopback() -> None:
    given = SITE | {"ECHOPLANE_GATEWAY_HOST": "0.0.0.0", "ECHOPLANE_NODE_GATEWAY_CA_FILE": "file"}
    gateway, node = plan(["gateway", "node"], given)
    assert node.settings.gateway_address == "127.0.0.1:50051"
    assert gateway.lines == ["gRPC 127.0.0.1:50051", "http://127.0.0.1:9464/metrics"]


def test_a_part_alone_is_told_nothing() -> None:
    [node] = plan(["node"], {})
    assert node.settings.gateway_address == "127.0.0.1:50051"
    assert "ECHOPLANE_NODE_GATEWAY_ADDRESS" not in node.environment


@pytest.mark.parametrize(
    ("only", "given", "said"),
    [
        (["gatway"], {}, "gatway"),
        ([], {"ECHOPLANE_NODE_PROT": "1"}, "ECHOPLANE_NODE_PROT"),
        ([], {"ECHOPLANE_GATEWAY_PORT": "-1"}, "ECHOPLANE_GATEWAY_PORT"),
        (["gateway", "node"], {name: each for name, each in SITE.items() if "NODE" not in name}, "_NODE_PROFILE=demo"),
        (["gateway", "node"], SITE, "ECHOPLANE_NODE_GATEWAY_CA_FILE"),
    ],
)
def test_what_is_wrong_or_does_not_go_together_is_refused(only: list[str], given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        plan(only, given)
