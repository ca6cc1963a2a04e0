"""Which study the person at the console works on: found by its name, given one, or begun."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from echoplane.v1 import study_pb2

from services.acquisition.console.link import Link
from services.acquisition.console.shown import show_trouble
from services.acquisition.console.subject import Subject
from services.acquisition.console.words import AWAY, NO_STUDIES, Trouble, trouble
from services.acquisition.protocol import has_shape
from services.cine.errors import Reason
from services.client import CallError


async def choose_study(link: Link, wanted: Subject) -> dict[str, Any]:
    """Say which study is meant, as the page is to name it from now on: `study`, `subject_code`, `visit`; or `trouble`.

    Args:
        link: to the gateway.
        wanted: a name as typed; with the study of a list, that is to have this name.
    """
    protocol = link.state.protocol
    if protocol is None:
        words = NO_STUDIES if link.state.is_there else AWAY
        return {"trouble": show_trouble(Trouble("UNIMPLEMENTED", words))}
    subject = replace(wanted, trial=protocol.trial, subject_code=_as_in(protocol, wanted.subject_code))
    if fault := _fault(protocol, subject):
        return {"trouble": show_trouble(Trouble(Reason.REQUEST_MALFORMED, fault))}
    try:
        study = await (_name(link, subject) if subject.study else _find(link, subject))
    except CallError as error:
        return {"trouble": show_trouble(trouble(error))}
    return {"study": study, "subject_code": subject.subject_code, "visit": subject.visit}


async def _name(link: Link, subject: Subject) -> str:
    """Give a study of the list its name."""
    async with link.client() as client:
        named = await client.name_study(study_pb2.NameStudyRequest(study=subject.study, name=subject.name))
        return named.study


async def _find(link: Link, subject: Subject) -> str:
    """Look for a study of this name that the gateway has, a scanner's for instance; empty where there is none yet."""
    async with link.client() as client:
        listed = await client.list_studies(subject_code=subject.subject_code, visit=subject.visit, page_size=1)
        return listed.studies[0].study if listed.studies else ""


def _as_in(protocol: study_pb2.TrialProtocol, typed: str) -> str:
    """Write a subject code in capitals where that makes it one."""
    capitals = typed.upper()
    return capitals if has_shape(capitals, protocol.subject_code) else typed


def _fault(protocol: study_pb2.TrialProtocol, subject: Subject) -> str:
    if not has_shape(subject.subject_code, protocol.subject_code):
        example = protocol.subject_code.replace("#", "0").replace("@", "A")
        return f"Not a subject code of this trial: they look like {example}."
    if subject.visit not in protocol.visits:
        return f"Choose the visit: {', '.join(protocol.visits)}."
    return ""
