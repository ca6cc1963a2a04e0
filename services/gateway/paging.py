"""Lists in pages: how many entries are asked for, and after which."""

from __future__ import annotations

from typing import Protocol

from services.cine.errors import Reason, RequestInvalidError

DEFAULT_PAGE, MOST_PAGE = 100, 1000


class PageRequest(Protocol):
    """What of a list request says which page."""

    @property
    def page_size(self) -> int:
        """Entries, or 0."""

    @property
    def page_token(self) -> str:
        """Of the answer before, or empty."""


def read_page(request: PageRequest) -> tuple[int, int | None]:
    """Give how many entries a page has, and the number that all of them are below; None for the first page.

    Raises:
        RequestInvalidError: the page is malformed.
    """
    if request.page_size > MOST_PAGE:
        raise _invalid(f"a page of {request.page_size}", f"at most {MOST_PAGE}")
    token = request.page_token
    if token and not (token.isascii() and token.isdigit() and len(token) < 19):
        raise _invalid("a malformed page_token", "the one of the answer before")
    return request.page_size or DEFAULT_PAGE, int(token) if token else None


def next_token(numbers: list[int], page_size: int) -> str:
    """Give the token of the page after that with these numbers, highest first; empty where there is none."""
    return str(numbers[-1]) if len(numbers) == page_size and numbers[-1] > 1 else ""


def _invalid(found: str, expected: str) -> RequestInvalidError:
    return RequestInvalidError(
        Reason.REQUEST_MALFORMED, found=found, expected=expected, advice="Begin again without a page_token."
    )
