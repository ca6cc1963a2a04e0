"""The console's settings: loopback in every profile, and a certificate towards a site's gateway."""

from __future__ import annotations

import pytest

from services.acquisition.console.link import Link
from services.acquisition.console.settings import ConsoleSettings
from services.cine.budget import ReadLimits
from services.cine.errors import ConfigError

SITE = {"PROFILE": "site", "GATEWAY_CA_FILE": "ca.pem", "TLS_CERTIFICATE_FILE": "a.pem", "TLS_KEY_FILE": "k.pem"}


def load(**variables: str) -> ConsoleSettings:
    return ConsoleSettings.load({f"ECHOPLANE_CONSOLE_{name}": value for name, value in variables.items()})


def test_a_file_may_be_as_large_as_one_that_is_read() -> None:
    assert load().max_upload_bytes == ReadLimits().max_bytes
    assert (load().host, load().port) == ("127.0.0.1", 8080)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "scanner.example"])
@pytest.mark.parametrize("profile", [{}, SITE])
def test_the_page_is_served_to_this_machine_alone(host: str, profile: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        load(HOST=host, **profile)


@pytest.mark.parametrize("name", [name for name in SITE if name != "PROFILE"])
def test_the_profile_site_is_whole_or_not_at_all(name: str) -> None:
    with pytest.raises(ConfigError, match="the profile site needs"):
        load(**{key: value for key, value in SITE.items() if key != name})
    with pytest.raises(ConfigError, match="PROFILE=site"):
        load(**{name: SITE[name]})


def test_a_certificate_that_cannot_be_read_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="TLS_CERTIFICATE_FILE"):
        Link(load(**SITE))
