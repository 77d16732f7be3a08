"""Which shape of an answer the caller wants."""

from __future__ import annotations

from flask import request


def wants_csv(wish: str | None) -> bool:
    """Answer whether CSV is wanted: `?format=` decides, else what Accept prefers."""
    if wish is not None:
        return wish == "csv"
    return request.accept_mimetypes.best_match(("application/json", "text/csv"), "application/json") == "text/csv"
