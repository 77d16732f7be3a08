"""Reads one roster file and answers what is in it; no database, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from service.domain.errors import InvalidInput
from service.domain.identifiers import Environment
from service.rosters.read import check_roster
from service.rosters.reading import RosterOptions

CONFIG_KEYS = frozenset({"mode", "column_mapping", "header_hash", "content_type"})


def check(
    path: Path, *, environment: str = "sandbox", mode: str | None = None, config: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Answer the reading of one file, or of the folder of a bulk export, under the keys of the feed contract (feeds 8).

    `config` is what a feed's settings say: `mode` (the argument wins), `column_mapping`, `header_hash`, `content_type`.
    Raises InvalidInput for a file that is not there and for an unknown key.
    """
    if not path.is_file() and not path.is_dir():
        raise InvalidInput(f"{path} is not a file.", next_action="Give one roster file, or the folder of an export.")
    given = dict(config or {})
    unknown = sorted(set(given) - CONFIG_KEYS)
    if unknown:
        raise InvalidInput(
            f"The feed configuration has unknown keys: {', '.join(unknown)}.",
            next_action=f"Use only {', '.join(sorted(CONFIG_KEYS))}.",
        )
    options = RosterOptions(
        environment=Environment(environment),
        mode=mode or given.get("mode"),
        content_type=given.get("content_type"),
        filename=path.name,
        column_mapping=dict(given.get("column_mapping") or {}),
        header_hash=given.get("header_hash"),
    )
    return check_roster(path, options)
