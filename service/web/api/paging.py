"""Keyset pages: one item more than asked tells whether there is a next page, and a Link header says where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from flask import request

from service.domain.errors import InvalidInput

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items of a list; `next` is the cursor of the page after, None at the end."""

    items: Sequence[Item]
    next: str | None

    @property
    def headers(self) -> dict[str, str]:
        """Answer the Link header of the next page of this very request, if there is one."""
        if self.next is None:
            return {}
        query = urlencode(request.args.to_dict() | {"cursor": self.next})
        address = f"{request.path}?{query}"
        return {"Link": f'<{address}>; rel="next"'}


def cut_page(found: Sequence[Item], limit: int, key: Callable[[Item], object]) -> Page[Item]:
    """Answer the first `limit` of what was found with `limit + 1`; the cursor is the key of the last one shown."""
    items = found[:limit]
    return Page(items, str(key(items[-1])) if len(found) > limit and items else None)


def read_number_cursor(cursor: str | None) -> int | None:
    """Read a cursor that is a number; raises InvalidInput."""
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.lstrip("-").isdigit() and len(cursor) <= 18):
        raise InvalidInput("The cursor is not one that a list gave out.", next_action="Begin without a cursor.")
    return int(cursor)


def read_npi_cursor(cursor: str | None) -> str | None:
    """Read a cursor that is a practitioner's number; raises InvalidInput."""
    number = read_number_cursor(cursor)
    return None if number is None else f"{number:010d}"


def slice_page(everything: Sequence[Item], limit: int, cursor: str | None) -> Page[Item]:
    """Answer one page of a list that is whole in memory; the cursor is the place of its first item."""
    start = max(0, read_number_cursor(cursor) or 0)
    end = start + limit
    return Page(everything[start:end], str(end) if end < len(everything) else None)
