"""Kills node and gateway at random moments while others send to both, and says what is lost or there twice."""

from __future__ import annotations

import hashlib
import itertools
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pynetdicom import evt
from pynetdicom.dsutils import decode

from services.acquisition.protocol import read_protocol
from services.acquisition.studies import Studies, StudyName
from tests.integration.archives import Shelf, shelf
from tests.integration.killed_site import (
    START_TIMEOUT_S,
    STUDY,
    Asker,
    Cines,
    Moment,
    Relay,
    Scanner,
    Tape,
    Victim,
    uid_of,
)
from tests.integration.nodes import free_port, wait_for
from tests.unit.acquisition.cases import UIDS
from tests.unit.acquisition.studying import KEY

SCANNERS = 2
LONGEST_S = 4.0
"""Between the first that happens after both serve and the kill."""

AIMED = [moment for moment in Moment if moment is not Moment.STARTING]
AIMED_SHARE, SOON_S = 0.6, 0.05
"""Of kills that come soon after one of these, drawn too, or when none comes; the others come at any time."""

EARLY_SHARE = 0.1
"""Of kills that are followed by another before the process serves again."""

MOST_UNREPORTED = 20
"""Scanners wait while so many objects are: a queue without an end has no end."""

END_TIMEOUT_S = 600.0
_PROTOCOL = Path(__file__).parents[2] / "deploy" / "trials" / "example.yaml"


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        kills: by process and by what had happened last.
        acknowledged: objects that the node has said it keeps.
        sent_again: how many of them were sent once more.
        answered: cines that the gateway has answered to somebody else than the node.
        faults: what is lost, there twice, or not done with; empty where all is well.
    """

    kills: Counter[tuple[str, Moment]] = field(default_factory=Counter)
    acknowledged: int = 0
    sent_again: int = 0
    answered: int = 0
    faults: list[str] = field(default_factory=list)

    def expect_once(self, what: str, found: list[str], expected: set[str]) -> None:
        """Note what is missing, there twice, or unknown."""
        several = {one for one, count in Counter(found).items() if count > 1}
        for fault, which in (
            ("lost", expected - set(found)),
            ("twice", several),
            ("of nobody", set(found) - expected),
        ):
            if which:
                self.faults.append(f"{what} {fault}: {len(which)}, of them {min(which)}")


def kill_so_often(folder: Path, kills: int, seed: int, on_kill: Callable[[], object] = lambda: None) -> Outcome:
    """Have a site at work, kill its node or gateway again and again, let all come to its end, and look at it.

    Args:
        folder: of everything; empty.
        kills: how many at least; the last may be a few more.
        seed: draws who is first of both, and when.
        on_kill: called after each.
    """
    outcome, tape, draw = Outcome(), Tape(), random.Random(seed)
    with _archive(tape) as archive, _Site(folder, tape, archive).running() as site:
        while outcome.kills.total() < kills:
            for name in draw.sample(sorted(site.victims), len(site.victims)):
                for kill in site.kill_one(name, draw):
                    outcome.kills[kill] += 1
                    on_kill()
        site.finish()
    site.look(outcome)
    return outcome


@contextmanager
def _archive(tape: Tape) -> Iterator[Shelf]:
    """Run an archive that tells when it is called and when it has a report."""
    called = (evt.EVT_REQUESTED, lambda _: tape.tell(Moment.REPORTING))
    left = (evt.EVT_RELEASED, lambda _: tape.tell(Moment.REPORTED))
    with shelf(handlers=(called, left)) as opened:
        yield opened


class _Site:
    """Everybody who takes part."""

    def __init__(self, folder: Path, tape: Tape, archive: Shelf) -> None:
        self.folder, self.tape, self.archive, self.is_over = folder, tape, archive, threading.Event()
        port, node_port, key = free_port(), free_port(), folder / "key"
        key.write_bytes(KEY)
        self.inbox, self.record = folder / "inbox", folder / "studies.sqlite"
        gateway = {"PORT": port, "METRICS_PORT": 0, "TRIAL_PROTOCOL": _PROTOCOL, "STUDY_KEY_FILE": key}
        gateway |= {"STUDY_DATABASE": self.record}
        node = {
            "PORT": node_port,
            "METRICS_PORT": 0,
            "INBOX": self.inbox,
            "IDENTITY": "kept",  # so that objects are known again by their UIDs
            "LEAST_FREE_BYTES": 2**31,
            "REPORT_HOST": "127.0.0.1",
        }
        node |= {"REPORT_PORT": archive.port, "GATEWAY_ADDRESS": f"127.0.0.1:{Relay(port, tape).port}"}
        self.victims = {
            "gateway": Victim("services.gateway", _named("GATEWAY", gateway), folder / "gateway.log", '"serving"'),
            "node": Victim("services.acquisition", _named("NODE", node), folder / "node.log", '"node_serving"'),
        }
        cines, numbers = Cines(folder), itertools.count()
        self.scanners = [Scanner(cines, numbers, node_port, tape, self.has_room, self.is_over) for _ in range(SCANNERS)]
        self.asker = Asker(cines, f"127.0.0.1:{port}", tape, self.is_over)
        runs = (*(scanner.run for scanner in self.scanners), self.asker.run)
        self.threads = [threading.Thread(target=run, daemon=True) for run in runs]

    def told(self) -> list[int]:
        """Give the numbers of all objects that the node has acknowledged."""
        return [number for scanner in self.scanners for number in scanner.told]

    def has_room(self) -> bool:
        """Tell whether scanners may send more."""
        return len(self.told()) - len(set(self.archive.taken)) < MOST_UNREPORTED

    @contextmanager
    def running(self) -> Iterator[_Site]:
        """Start everybody, and end them."""
        try:
            for victim in self.victims.values():
                victim.start()
            for victim in self.victims.values():
                victim.wait()
            for thread in self.threads:
                thread.start()
            yield self
        finally:
            self.is_over.set()
            for victim in self.victims.values():
                victim.end()

    def kill_one(self, name: str, draw: random.Random) -> Iterator[tuple[str, Moment]]:
        """Kill one while the others work, and start it again; give whom, and what had happened last."""
        victim, turns, is_early = self.victims[name], self.tape.turns, draw.random() < EARLY_SHARE
        wait_for(lambda: self.tape.turns > turns, START_TIMEOUT_S)
        if draw.random() < AIMED_SHARE:
            self.tape.wait_for_next(draw.choice(AIMED), LONGEST_S)
            time.sleep(draw.uniform(0.0, SOON_S))
        else:
            time.sleep(draw.uniform(0.0, LONGEST_S))
        last = self.tape.last
        victim.kill()
        yield name, last
        victim.start()
        if is_early:
            time.sleep(draw.uniform(0.0, LONGEST_S))
            if not victim.is_serving():
                victim.kill()
                yield name, Moment.STARTING
                victim.start()
        victim.wait()

    def finish(self) -> None:
        """Let all that was begun come to its end, as far as it does."""
        self.is_over.set()
        for thread in self.threads:
            thread.join(END_TIMEOUT_S)
            assert not thread.is_alive(), "somebody was never acknowledged"
        with suppress(AssertionError):  # what is not done with is found afterwards
            wait_for(lambda: set(self.states()) == {"REPORTED"}, END_TIMEOUT_S)

    def states(self) -> list[str]:
        """Give the state of each object on the node's list."""
        with closing(sqlite3.connect(self.inbox / "inbox.sqlite")) as database:
            return [state for (state,) in database.execute("SELECT state FROM objects")]

    def look(self, outcome: Outcome) -> None:
        """Look at what each of them has in the end."""
        expected = {uid_of(number) for number in self.told()}
        outcome.acknowledged, outcome.answered = len(expected), len(self.asker.told)
        outcome.sent_again = sum(scanner.sent_again for scanner in self.scanners)
        files = [path for path in (self.inbox / "objects").glob("*.dcm") if not path.name.endswith(".sr.dcm")]
        outcome.expect_once("objects kept", [str(dcmread(path).SOPInstanceUID) for path in files], expected)
        reports = [decode(BytesIO(data), False, True) for data in set(self.archive.taken)]
        outcome.expect_once("reports in the archive", [_source(report) for report in reports], expected)
        if self.states() != ["REPORTED"] * len(expected):
            outcome.faults.append(f"entries: {Counter(self.states())}, not {len(expected)} that are REPORTED")
        self._look_at_studies(outcome, {_sha256(path.read_bytes()) for path in files})

    def _look_at_studies(self, outcome: Outcome, forwarded: set[str]) -> None:
        """Look at the gateway's record: the study that the node files in, and that of who asks by himself."""
        asked = {_sha256(self.asker.cines.data(number)) for number in self.asker.told}
        studies = Studies(self.record, KEY)
        expected = {
            studies.key("", UIDS["StudyInstanceUID"]).study: ("of the node", forwarded),
            studies.key("", STUDY).study: ("of somebody else", asked),
        }
        found = {study.study: study for study in studies.newest("", StudyName(read_protocol(_PROTOCOL).trial), 100)}
        outcome.expect_once("studies in the record", list(found), set(expected))
        for key in found.keys() & expected.keys():
            whose, cines = expected[key]
            outcome.expect_once(f"cines {whose} in the record", [cine.sha256 for cine in found[key].cines], cines)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _source(report: object) -> str:
    """Name the object that a report is about."""
    [evidence] = report.CurrentRequestedProcedureEvidenceSequence  # type: ignore[attr-defined]
    return str(evidence.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID)


def _named(process: str, settings: Mapping[str, object]) -> dict[str, str]:
    return {f"ECHOPLANE_{process}_{name}": str(value) for name, value in settings.items()}
