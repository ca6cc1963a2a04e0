"""The console in the profile site: mutual TLS to a gateway that lets in whom its sites file lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from playwright.sync_api import Page, expect

from deploy.demo.gateway import Gateway
from services.acquisition.console.words import REASONS, SHUT_OUT
from services.cine.errors import Reason
from tests.browser.consoles import PROTOCOL, ROOT, Console, gateway_with_studies, running_console
from tests.browser.steps import WAIT_MS, line, open_study, required, send
from tests.certificates import DAY, issue
from tests.integration.test_site_profile import settings_in

pytestmark = pytest.mark.timeout(240, func_only=True)

NORTH = yaml.safe_load((ROOT / "deploy" / "edge" / "sites.yaml").read_text())["sites"]["north"]
[TRIAL], [METHODS] = NORTH["trials"], NORTH["trials"].values()
SITES = {
    **dict.fromkeys(("north", "ended"), NORTH),
    "onlooker": {"trials": {TRIAL: [name for name in METHODS if name not in ("PredictView", "WatchStudyReview")]}},
    "neighbour": {"trials": {"OTHER-1": METHODS}},
}


@dataclass(frozen=True)
class Trial:
    """A gateway of a trial that asks for one cine, and who signs for its sites."""

    gateway: Gateway
    authority: trustme.CA
    cine: Path
    view: str

    def console(
        self, folder: Path, site: str, settings: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Console]:
        """Start a console with a certificate that names a site; that of `ended` holds no more."""
        identity = issue(self.authority, site, ends=-DAY if site == "ended" else DAY)
        files = {"GATEWAY_CA_FILE": self.authority.cert_pem.bytes()}
        files |= {"TLS_CERTIFICATE_FILE": identity.pem, "TLS_KEY_FILE": identity.key_pem}
        for name, content in files.items():
            (folder / name).write_bytes(content)
        given = {"PROFILE": "site"} | {name: str(folder / name) for name in files}
        return running_console(folder, self.gateway.address, given | dict(settings or {}))


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, answers: dict[Path, dict[str, Any]]) -> Iterator[Trial]:
    """The shipped weights, and a protocol that asks for one cine of a view that they tell with certainty."""
    cine, answer = next((path, answer) for path, answer in answers.items() if answer["state"] == "counts")
    folder, authority = tmp_path_factory.mktemp("site"), trustme.CA()
    protocol = yaml.safe_load(PROTOCOL.read_text())
    [asked] = [each for each in protocol["required_views"] if each["view"] == answer["view"]]
    (folder / "trial.yaml").write_text(yaml.safe_dump(protocol | {"required_views": [asked | {"accepted_cines": 1}]}))
    settings = settings_in(folder, authority, {"sites": SITES}) | {"TRIAL_PROTOCOL": str(folder / "trial.yaml")}
    with gateway_with_studies(folder, ROOT / "model_repository", settings) as gateway:
        yield Trial(gateway, authority, cine, answer["view"])


def test_a_listed_sites_cine_gets_its_view_and_the_study_turns_green(page: Page, trial: Trial, tmp_path: Path) -> None:
    """By the methods that deploy/edge/sites.yaml lists."""
    with trial.console(tmp_path, "north") as console:
        open_study(page, console, "S05-001")
        expect(required(page, trial.view)).to_have_attribute("data-state", "missing")
        send(page, [trial.cine])
        expect(line(page, 1)).to_contain_text(trial.view)
        expect(required(page, trial.view)).to_have_attribute("data-state", "done", timeout=WAIT_MS)
        expect(page.locator("#summary")).to_have_text("Complete: every view is there.")
        expect(page.locator("#film")).to_be_visible()
        page.get_by_role("button", name="Change study").click()
        expect(page.get_by_role("button", name="S05-001 · baseline")).to_have_class("study done")


@pytest.mark.parametrize(
    ("site", "told", "words", "lamp"),
    [
        ("stranger", "", REASONS[Reason.SITE_DENIED], "Gateway away"),
        ("neighbour", TRIAL, REASONS[Reason.TRIAL_DENIED], "Gateway not ready"),
        ("neighbour", "", REASONS[Reason.TRIAL_UNKNOWN], "Gateway not ready"),
        ("ended", "", SHUT_OUT, "Gateway away"),
    ],
)
def test_whoever_is_not_let_in_is_told_what_to_do(
    page: Page, trial: Trial, tmp_path: Path, site: str, told: str, words: str, lamp: str
) -> None:
    with trial.console(tmp_path, site, {"TRIAL": told}) as console:
        page.goto(console.url)
        expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible(timeout=WAIT_MS)
        expect(page.locator("#gateway")).to_have_text(lamp)
        expect(page.get_by_role("button", name="Name views only")).to_be_disabled()


def test_a_method_that_is_not_listed_is_told_where_it_was_wanted(page: Page, trial: Trial, tmp_path: Path) -> None:
    words = REASONS[Reason.METHOD_DENIED]
    with trial.console(tmp_path, "onlooker") as console:
        open_study(page, console, "S05-002")
        expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible(timeout=WAIT_MS)  # of the review
        send(page, [trial.cine])
        expect(line(page, 1)).to_have_attribute("data-state", "trouble")
        expect(page.get_by_role("article", name="Cine on the screen")).to_contain_text(words)
