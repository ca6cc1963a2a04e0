"""Which study is meant on the command line, and what it is called there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from echoplane.v1 import study_pb2, view_pb2

from services.acquisition.protocol import has_shape
from services.cine.errors import ConfigError, EchoplaneError, Reason, reason_named
from services.client import CallError, Client

MOST_LISTED = 1000
"""Studies of one page."""

_NAME = re.compile(r"[0-9a-f]{64}")
_BEGINNING = re.compile(r"[0-9a-f]{8,63}")
"""Of a name in the list; a UID has dots."""


async def filing_of(client: Client, study: str, subject: str, visit: str) -> view_pb2.CineHeader:
    """Say of which study cines are, in the trial that the gateway reviews.

    Args:
        client: of the gateway.
        study: UID, or the first letters of its name in the list.
        subject: the trial's code for the subject; empty, as the visit, for the name that the study has or will have.
        visit: which of the trial's visits.

    Raises:
        CallError: the call ended in a status.
        ConfigError: the trial's protocol knows no such subject code or visit.
    """
    protocol = await client.get_trial_protocol()
    if (subject or visit) and not has_shape(subject, protocol.subject_code):
        raise _unknown("a subject code of another shape", f"{protocol.subject_code} (# a digit, @ a capital letter)")
    if (subject or visit) and visit not in protocol.visits:
        raise _unknown("an unknown visit", f"one of {', '.join(protocol.visits)}")
    key = await find_study(client, study)
    return view_pb2.CineHeader(trial=protocol.trial, subject_code=subject, visit=visit, **key)


async def review_of(client: Client, filing: view_pb2.CineHeader) -> study_pb2.StudyReview | None:
    """Review the study that a header names; None where no cine of it has been recorded.

    Raises:
        EchoplaneError: the call ended in another status.
    """
    with told_in_words():
        try:
            return await client.get_study_review(**key_of(filing))
        except CallError as error:
            if error.reason != Reason.STUDY_UNKNOWN:
                raise
            return None


async def find_study(client: Client, text: str) -> dict[str, Any]:
    """Tell which study is meant, as the fields of a request: a UID, or the first letters of a name in the list.

    Raises:
        CallError: the call ended in a status.
        ConfigError: no study's name begins so, or several do.
    """
    if not _BEGINNING.fullmatch(text):
        return {"study" if _NAME.fullmatch(text) else "study_id": text}
    found, token, is_last = set[str](), "", False
    while not is_last:
        page = await client.list_studies(page_size=MOST_LISTED, page_token=token)
        found |= {each.study for each in page.studies if each.study.startswith(text)}
        token, is_last = page.next_page_token, not page.next_page_token
    if len(found) != 1:
        raise _unknown(f"{len(found)} studies whose name begins so", "one, or the UID of a study, which has dots")
    return {"study": found.pop()}


def key_of(filing: view_pb2.CineHeader) -> dict[str, Any]:
    """Give which study a header names, as the fields of a request."""
    return {"study": filing.study} if filing.study else {"study_id": filing.study_id}


@contextmanager
def told_in_words() -> Iterator[None]:
    """Turn the status of a call into an error of the command line.

    Raises:
        EchoplaneError: the call ended in a status.
    """
    try:
        yield
    except CallError as error:
        if error.code == "UNIMPLEMENTED":
            raise ConfigError(
                found="a gateway that reviews no studies",
                expected="one with a trial's protocol",
                advice="Start it with ECHOPLANE_GATEWAY_TRIAL_PROTOCOL and _STUDY_KEY_FILE.",
            ) from error
        raise EchoplaneError(
            reason_named(error.reason),
            found=f"a gateway that says {error.code}",
            expected="an answer",
            advice=error.message,
        ) from error


def _unknown(found: str, expected: str) -> ConfigError:
    return ConfigError(found=found, expected=expected, advice="See `echoplane studies list`, and the trial's protocol.")
