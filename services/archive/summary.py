"""What came of many files: counts by verdict and view, and by what was found, each with an example and advice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.answers import ABSTAINED, ERROR, NOT_A_CINE, Line, print_lines, print_reasons
from services.cine.views import ANSWERED_VIEWS

SHOWN_SINGLY = 40
"""Up to so many files are told one by one: a screen or two."""

VERDICTS = {"ACCEPTED": "accepted", "REJECTED": "rejected", NOT_A_CINE: "not a cine", ERROR: "errors"}
"""In the order of tables, and in words."""

_VIEWS = (*ANSWERED_VIEWS, ABSTAINED, "-")


@dataclass
class Summary:
    """Counts what came of files; holds single ones only while they are few."""

    views: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: Counter[tuple[str, str]] = field(default_factory=Counter)
    _examples: dict[tuple[str, str], Line] = field(default_factory=dict)
    _lines: list[Line] = field(default_factory=list)

    def add(self, line: Line) -> None:
        """Count one file."""
        self.views[line.verdict, line.view] += 1
        for code in line.codes:
            self.findings[line.verdict, code] += 1
            example = self._examples.setdefault((line.verdict, code), line)
            if len(line.codes) < len(example.codes):  # one that tells of nothing else
                self._examples[line.verdict, code] = line
        if len(self._lines) <= SHOWN_SINGLY:
            self._lines.append(line)

    def count(self, verdict: str) -> int:
        """Give how many files got a verdict."""
        return sum(count for (given, _), count in self.views.items() if given == verdict)

    @property
    def has_failed(self) -> bool:
        """Whether a cine got no answer, or no file was a cine."""
        return self.count(ERROR) > 0 or self.count(NOT_A_CINE) == self.views.total()

    @property
    def counts(self) -> str:
        """The verdicts that were given and how often, in words."""
        named = ((words, self.count(verdict)) for verdict, words in VERDICTS.items())
        return ", ".join(f"{count} {words}" for words, count in named if count)

    def show(self, console: Console) -> None:
        """Print a line a file while they are few, counts otherwise."""
        if self.views.total() > SHOWN_SINGLY:
            console.print(self._by_view())
            self._show_findings(console)
            return
        lines = sorted(self._lines, key=lambda line: line.name)
        print_lines(console, lines)
        print_reasons(console, lines)

    def _by_view(self) -> Table:
        table = Table("verdict", *(escape(view) for view in _VIEWS), "files", title="Verdicts and views")
        for column in table.columns[1:]:
            column.justify = "right"
        for verdict in VERDICTS:
            if self.count(verdict):
                cells = (str(self.views[verdict, view] or "") for view in _VIEWS)
                table.add_row(verdict, *cells, str(self.count(verdict)))
        return table

    def _show_findings(self, console: Console) -> None:
        table = Table("found", "verdict", "files", "for example", title="What was found")
        table.columns[2].justify = "right"
        table.columns[3].overflow = "fold"
        found = sorted(self.findings.items(), key=_most_first)
        for (verdict, code), count in found:
            table.add_row(code, verdict, str(count), escape(self._examples[verdict, code].name))
        console.print(table)
        for key, _ in found:
            console.print(f"[bold]{key[1]}[/bold]: {escape(self._examples[key].why)}", highlight=False)


def _most_first(item: tuple[tuple[str, str], int]) -> tuple[int, int, str]:
    (verdict, code), count = item
    return list(VERDICTS).index(verdict), -count, code
