"""What the sites file lists is allowed, all else denied; quotas fill steadily."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from echoplane.v1 import study_pb2, synthesis_pb2, view_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.cine.errors import AccessDeniedError, CapacityError, ConfigError, Reason, UnauthenticatedError
from services.runtime.quotas import Bucket, Quota
from services.runtime.sites import SITE_URI, Certificate, SiteQuota, Sites

METHODS = ("PredictView", "GenerateBatch")
LOST = "ab" * 32
FILE = {
    "sites": {
        "north": {"trials": {"example": ["PredictView"]}, "denied_fingerprints": [LOST], "titles": ["NORTH_CART"]},
        "lab": {"trials": {"example": ["GenerateBatch"], "other": ["PredictView", "GenerateBatch"]}},
    }
}


@pytest.fixture
def sites(tmp_path: Path) -> Sites:
    path = tmp_path / "sites.yaml"
    path.write_text(yaml.safe_dump(FILE))
    return Sites.load(path, METHODS)


def test_the_example_that_ships_is_one() -> None:
    everything = [
        method.name for file in (view_pb2, synthesis_pb2, study_pb2) for method in methods_of(file.DESCRIPTOR)
    ]
    assert set(Sites.load(Path("deploy/sites/example.yaml"), everything).sites) == {"north", "lab"}


def methods_of(file: Any) -> list[Any]:
    return [method for service in file.services_by_name.values() for method in service.methods]


def certificate(*names: str, fingerprint: str = "cd" * 32) -> Certificate:
    return Certificate(fingerprint=fingerprint, sites=names)


def test_a_listed_site_may_do_what_is_listed(sites: Sites) -> None:
    assert sites.identify(certificate("north")) == "north"
    assert sites.allow("north", "example", "PredictView") == "example"
    assert sites.allow("north", "", "PredictView") == "example"  # its only trial


@pytest.mark.parametrize(
    ("site", "trial", "method", "reason"),
    [
        ("north", "example", "GenerateBatch", Reason.METHOD_DENIED),
        ("north", "other", "PredictView", Reason.TRIAL_DENIED),
        ("lab", "", "PredictView", Reason.TRIAL_DENIED),  # it has two
        ("lab", "example", "PredictView", Reason.METHOD_DENIED),
    ],
)
def test_what_is_not_listed_is_denied(sites: Sites, site: str, trial: str, method: str, reason: Reason) -> None:
    with pytest.raises(AccessDeniedError) as caught:
        sites.allow(site, trial, method)
    assert caught.value.reason is reason


def test_a_certificate_must_name_one_listed_site_and_not_be_withdrawn(sites: Sites) -> None:
    for strangers in ((), ("north", "lab")):
        with pytest.raises(UnauthenticatedError):
            sites.identify(certificate(*strangers))
    for named, reason in (
        (certificate("south"), Reason.SITE_DENIED),
        (certificate("north", fingerprint=LOST), Reason.CERTIFICATE_DENIED),
    ):
        with pytest.raises(AccessDeniedError) as caught:
            sites.identify(named)
        assert caught.value.reason is reason
    assert sites.identify(certificate("lab", fingerprint=LOST)) == "lab"  # withdrawn from the other site


def test_no_certificate_is_nobody() -> None:
    with pytest.raises(UnauthenticatedError):
        Certificate.of_call({SITE_URI: [b"north"]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sites: [", "no readable"),
        ("sites: {north: {}}", "trials"),
        ("sites: {North: {trials: {}}}", "North"),
        ("sites: {north: {trials: {example: [Predict]}}}", "Predict"),
        ("sites: {north: {trials: {}, titles: ['A B']}}", "titles"),
        ("sites: {north: {trials: {}, denied_fingerprints: ['AB:CD']}}", "denied_fingerprints"),
        ("sites: {north: {trials: {}, quota: {requests_per_minute: 0}}}", "requests_per_minute"),
        ("site: {}", "site"),
    ],
)
def test_a_file_of_another_shape_says_what_is_wrong(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "sites.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=expected):
        Sites.load(path, METHODS)
    with pytest.raises(ConfigError, match="no readable"):
        Sites.load(tmp_path / "nowhere.yaml", METHODS)


class Clock:
    """Goes on when told."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_quota_says_when_there_is_more_and_then_there_is() -> None:
    clock = Clock()
    requests = Quota(SiteQuota(requests_per_minute=6), clock).requests
    for _ in range(6):
        requests.take(1)
    with pytest.raises(CapacityError) as caught:
        requests.take(1)
    assert caught.value.reason is Reason.QUOTA
    assert caught.value.retry_after_s == pytest.approx(10)
    clock.now_s += 10.001
    requests.take(1)
    with pytest.raises(CapacityError):
        requests.take(1)


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 15)), max_size=60))
def test_no_bucket_gives_more_than_its_size_and_what_ran_in(steps: list[tuple[float, float]]) -> None:
    clock = Clock()
    bucket, taken = Bucket("pears", 10, 20, clock), 0.0
    for wait_s, amount in steps:
        clock.now_s += wait_s
        try:
            bucket.take(amount)
        except CapacityError:
            continue
        taken += amount
        assert taken <= 10 + (clock.now_s - Clock.now_s) * 10 / 20 + 1e-6


def test_what_is_larger_than_the_bucket_never_fits_and_a_bucket_of_nothing_gives_nothing() -> None:
    with pytest.raises(CapacityError):
        Bucket("pears", 10, 20).take(11)
    with pytest.raises(CapacityError):
        Quota(SiteQuota(images_per_day=0)).images.take(1)


@pytest.mark.parametrize(("site", "title"), [("north", "SOMEBODY"), ("lab", "NORTH_CART"), ("north", "")])
def test_a_title_that_is_not_the_sites_is_denied(sites: Sites, site: str, title: str) -> None:
    with pytest.raises(AccessDeniedError) as caught:
        sites.allow_title(site, title)
    assert caught.value.reason is Reason.TITLE_DENIED


def test_a_title_of_the_site_is_let_in(sites: Sites) -> None:
    sites.allow_title("north", "NORTH_CART")
