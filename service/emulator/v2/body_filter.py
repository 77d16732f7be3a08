"""The sanitiser that every request body runs through before anything else (contract-v2 2.3)."""

from __future__ import annotations

import html
import re

from service.emulator.v2.answers import TEXT, refuse_internal

_TAG = re.compile(r"<[A-Za-z/!?]")


def is_clean(raw: bytes) -> bool:
    """Whether the sanitiser would give the body back unchanged: no tag, no entity, no carriage return."""
    text = raw.decode("latin-1")  # every byte is a character; tags and entities are ASCII
    return "\r" not in text and not _TAG.search(text) and html.unescape(text) == text


def check_body(raw: bytes) -> None:
    """Refuses with a 500 whose JSON is labelled as text."""
    if not is_clean(raw):
        raise refuse_internal(TEXT)
