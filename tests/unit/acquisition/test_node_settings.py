"""The node's settings: nobody unasked but on loopback, and room for what may be arriving."""

from __future__ import annotations

import pytest

from services.acquisition.guard import GuardLimits
from services.acquisition.inbox import InboxLimits
from services.acquisition.settings import Identity, NodeSettings
from services.cine.errors import ConfigError
from services.runtime.settings import Profile

PREFIX = "ECHOPLANE_NODE_"
SITE = {
    "PROFILE": "site",
    "SITES_FILE": "sites.yaml",
    "TLS_CERTIFICATE_FILE": "a.pem",
    "TLS_KEY_FILE": "k.pem",
    "TLS_CLIENT_CA_FILE": "ca.pem",
    "IDENTITY": "kept",
}


def load(**variables: str) -> NodeSettings:
    return NodeSettings.load({PREFIX + name: value for name, value in variables.items()})


def test_defaults_are_those_of_guard_and_inbox() -> None:
    assert load().guard_limits == GuardLimits()
    assert load().inbox_limits == InboxLimits()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::"])
def test_nobody_else_is_let_in_unasked(host: str) -> None:
    with pytest.raises(ConfigError, match="PROFILE=site"):
        load(HOST=host)
    assert load(HOST=host, **SITE).profile is Profile.SITE


@pytest.mark.parametrize("name", [name for name in SITE if name not in ("PROFILE", "IDENTITY")])
def test_the_profile_site_is_whole_or_not_at_all(name: str) -> None:
    with pytest.raises(ConfigError, match="the profile site needs"):
        load(**{key: value for key, value in SITE.items() if key != name})
    with pytest.raises(ConfigError, match="PROFILE=site"):
        load(**{name: SITE[name]})


def test_identities_are_removed_unless_kept_and_at_a_site_under_a_key_of_its_own() -> None:
    assert load().identity is Identity.REMOVED
    with pytest.raises(ConfigError, match="PSEUDONYM_KEY_FILE"):
        load(**SITE | {"IDENTITY": "removed"})
    assert load(**SITE | {"IDENTITY": "removed", "PSEUDONYM_KEY_FILE": "key"}).identity is Identity.REMOVED
    with pytest.raises(ConfigError, match="IDENTITY=removed"):
        load(IDENTITY="kept", PSEUDONYM_KEY_FILE="key")


def test_what_may_arrive_at_once_must_fit_into_what_stays_free() -> None:
    fits = {"MAX_ASSOCIATIONS": "2", "MAX_OBJECT_BYTES": "500", "LEAST_FREE_BYTES": "1000"}
    assert load(**fits).least_free_bytes == 1000
    with pytest.raises(ConfigError, match="LEAST_FREE_BYTES"):
        load(**fits | {"LEAST_FREE_BYTES": "999"})


def test_a_site_says_where_the_code_is_or_that_it_is_nowhere() -> None:
    assert load(SUBJECT_CODE_ATTRIBUTE="PatientID").subject_code_attribute == "PatientID"
    assert load(VISIT_ATTRIBUTE="").visit_attribute == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("PORT", "70000"),
            ("TITLE", "SEVENTEEN_LETTERS"),
            ("TITLE", "A\\B"),
            ("MAX_WAITING", "5000"),
            ("PORTS", "1"),
        ),
        *(("SUBJECT_CODE_ATTRIBUTE", "PatientName"), ("VISIT_ATTRIBUTE", "Visit"), ("VISIT_ATTRIBUTE", "StudyDate")),
    ],
)
def test_a_wrong_value_or_name_stops_the_start_and_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{PREFIX}{name}"):
        load(**{name: value})


def test_every_setting_is_described() -> None:
    assert all(field.description for field in NodeSettings.model_fields.values())
