"""The gateway's settings: safe defaults, and no half of TLS."""

from __future__ import annotations

from dataclasses import Field, fields, replace

import pytest

from services.cine.budget import ReadLimits
from services.cine.errors import ConfigError
from services.gateway.settings import BackendKind, GatewaySettings
from services.models.onnx_backend import Provider
from services.runtime.settings import Profile

PREFIX = "ECHOPLANE_GATEWAY_"


def load(**variables: str) -> GatewaySettings:
    return GatewaySettings.load({PREFIX + name: value for name, value in variables.items()})


def test_defaults_serve_a_laptop_on_loopback() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.metrics_port) == ("127.0.0.1", 50051, 9464)
    assert settings.backend is BackendKind.EMBEDDED
    assert settings.onnx_provider is Provider.CPU


@pytest.mark.parametrize("provider", ["CPU", "CUDA", "TENSORRT"])
def test_provider_has_a_short_name(provider: str) -> None:
    assert load(PROVIDER=provider).onnx_provider is Provider[provider]


@pytest.mark.parametrize(
    "variables",
    [
        {"TLS_CERTIFICATE_FILE": "a.pem"},
        {"TLS_KEY_FILE": "a.pem"},
        {"TLS_CLIENT_CA_FILE": "ca.pem"},
        {"TLS_CLIENT_CA_FILE": "ca.pem", "TLS_KEY_FILE": "a.pem"},
    ],
)
def test_half_of_tls_stops_the_start(variables: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="TLS needs"):
        load(**variables)


@pytest.mark.parametrize("more", [{}, {"TLS_CLIENT_CA_FILE": "ca.pem"}])
def test_whole_tls_is_taken(more: dict[str, str]) -> None:
    assert load(TLS_CERTIFICATE_FILE="a.pem", TLS_KEY_FILE="k.pem", **more).tls_key_file is not None


TLS = {"TLS_CERTIFICATE_FILE": "a.pem", "TLS_KEY_FILE": "k.pem", "TLS_CLIENT_CA_FILE": "ca.pem"}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.0.1", "::1", "localhost"])
def test_without_sites_only_this_machine_is_served(host: str) -> None:
    assert load(HOST=host).profile is Profile.DEMO


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "echo.example"])
def test_nobody_else_is_let_in_unasked(host: str) -> None:
    for variables in ({}, TLS):
        with pytest.raises(ConfigError, match="PROFILE=site"):
            load(HOST=host, **variables)
    assert load(HOST=host, PROFILE="site", SITES_FILE="sites.yaml", **TLS).sites_file is not None


def test_the_profile_site_needs_mutual_tls_and_the_sites_file() -> None:
    for variables in ({}, TLS, {"SITES_FILE": "sites.yaml"}):
        with pytest.raises(ConfigError, match="the profile site needs"):
            load(PROFILE="site", **variables)
    with pytest.raises(ConfigError, match="PROFILE=site"):
        load(SITES_FILE="sites.yaml", **TLS)


@pytest.mark.parametrize("name", ["TRIAL_PROTOCOL", "STUDY_KEY_FILE"])
def test_half_of_the_study_review_stops_the_start(name: str) -> None:
    with pytest.raises(ConfigError, match="study review needs both"):
        load(**{name: "a file"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", ""),
        ("MAX_RUNNING_REQUESTS", "0"),
        ("RECEIVE_TIMEOUT_S", "0"),
        ("SANDBOX_MEMORY_MIB", "10"),
        ("LOG_LEVEL", "loud"),
        ("BACKEND", "torch"),
        ("PORTS", "1"),
    ],
)
def test_a_wrong_value_or_name_stops_the_start_and_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{PREFIX}{name}"):
        load(**{name: value})


def test_every_setting_is_described() -> None:
    assert all(field.description for field in GatewaySettings.model_fields.values())


def test_every_limit_of_reading_is_a_setting_with_its_default() -> None:
    assert load().read_limits == ReadLimits()


@pytest.mark.parametrize("limit", fields(ReadLimits), ids=lambda limit: limit.name)
def test_each_limit_of_reading_can_be_set(limit: Field[int]) -> None:
    name = "MAX_REQUEST_BYTES" if limit.name == "max_bytes" else limit.name.upper()
    changed = load(**{name: "7"}).read_limits
    assert changed == replace(ReadLimits(), **{limit.name: 7})
