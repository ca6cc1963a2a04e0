"""What a study has and what it still misses, for people: in tables, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from echoplane.v1 import study_pb2, view_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.markup import escape
from rich.table import Table

SHOWN_LETTERS = 10
"""Of the name by which a study is asked for: enough to tell a hundred thousand of them apart."""

NOT_NAMED = "not named yet"


def print_studies(console: Console, studies: Iterable[study_pb2.StudySummary]) -> None:
    """Print a table, a line a study."""
    table = Table("study", "name", "cines", "newest", "review")
    table.columns[2].justify = "right"
    for study in studies:
        code, visit = study.name.subject_code, study.name.visit
        name = f"{code} {visit}" if code else f"[yellow]{NOT_NAMED}[/yellow]"
        newest = _local(study.last_cine_time)
        table.add_row(study.study[:SHOWN_LETTERS], name, str(study.cines), newest, _how_far(study))
    console.print(table)


def print_review(console: Console, review: study_pb2.StudyReview) -> None:
    """Print a table, a line a required view, and in words what is missing and why cines were rejected."""
    name = f"{review.subject_code} {review.visit}" if review.subject_code else f"A study, {NOT_NAMED}"
    table = Table(
        "view", "asked for", "accepted", "missing", "not sure enough", "rejected", title=f"{name}: {_until(review)}"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for each in review.views:
        rejected = each.present - each.accepted - each.uncertain
        counts = (each.required, each.accepted, each.missing, each.uncertain, rejected)
        table.add_row(_view(each.view), *(str(count or "") for count in counts), style="" if each.missing else "green")
    console.print(table)
    for line in _in_words(review):
        console.print(line, highlight=False)


def _in_words(review: study_pb2.StudyReview) -> Iterator[str]:
    missing = [f"{each.missing} {_view(each.view)}" for each in review.views if each.missing]
    yield (
        f"[bold]Still missing: {', '.join(missing)}.[/bold]"
        if missing
        else "[bold green]Nothing is missing.[/bold green]"
    )
    if review.unnamed:
        yield f"No view could be told of {_cines(review.unnamed)} that can be used: counted for none."
    for each in review.rejections:
        code = view_pb2.FindingCode.Name(each.finding.code).removeprefix("FINDING_CODE_")
        shown = f" of {_view(each.view)}" if each.view else ""
        yield f"[bold]{code}[/bold] ({_cines(each.count)}{shown}): {escape(each.finding.message)}"


def _how_far(study: study_pb2.StudySummary) -> str:
    state = "final" if study.state == study_pb2.REVIEW_STATE_FINAL else "open"
    return f"{state}, [green]complete[/green]" if study.is_complete else f"{state}, [yellow]incomplete[/yellow]"


def _until(review: study_pb2.StudyReview) -> str:
    at = _local(review.final_time)
    if review.state == study_pb2.REVIEW_STATE_FINAL:
        return f"final since {at}"
    return f"open, final at {at} without another cine"


def _cines(count: int) -> str:
    return "1 cine" if count == 1 else f"{count} cines"


def _local(time: Timestamp) -> str:
    return datetime.fromtimestamp(time.ToSeconds()).astimezone().strftime("%Y-%m-%d %H:%M")


def _view(view: view_pb2.View) -> str:
    return view_pb2.View.Name(view).removeprefix("VIEW_")
