"""Reads one roster file and answers what is in it; no database, no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from service.domain.errors import InvalidInput
from service.domain.feeds import SETTING_NAMES, FeedSettings, change_feed_settings
from service.domain.identifiers import Environment
from service.rosters.read import check_roster
from service.rosters.reading import RosterOptions

CONFIG_KEYS = frozenset({"mode", "column_mapping", "header_hash", "content_type"})
FEED_KEYS = frozenset(
    {
        "id",
        "mode",
        "scope",
        "absences_before_removal",
        "environment",
        "created_at",
        "settings",
        "last_delivery",
        "open_holds",
        "due_at",
        "is_overdue",
        "heard_at",
    }
)
"""What `rollcall feed show --format json` prints, taken as it is; how the feed was doing then plays no part."""


def check(
    path: Path, *, environment: str | None = None, mode: str | None = None, config: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Answer the reading of one file, or of the folder of a bulk export, under the keys of the feed contract (feeds 8).

    `config` says how the feed reads its files: as `rollcall feed show` prints it, or some of `mode`, `content_type`
    and the settings by themselves. The arguments win over it; without either the environment is the sandbox.
    Raises InvalidInput for a file that is not there and for what a feed has not.
    """
    if not path.is_file() and not path.is_dir():
        raise InvalidInput(f"{path} is not a file.", next_action="Give one roster file, or the folder of an export.")
    return check_roster(path, build_options(path.name, config or {}, environment=environment, mode=mode))


def build_options(
    filename: str, config: Mapping[str, Any], *, environment: str | None = None, mode: str | None = None
) -> RosterOptions:
    """Answer how a feed with this configuration would read a file; raises InvalidInput."""
    unknown = sorted(config.keys() - CONFIG_KEYS - FEED_KEYS - set(SETTING_NAMES))
    if unknown:
        raise InvalidInput(
            f"The feed configuration has unknown keys: {', '.join(unknown)}.",
            next_action="Use what `rollcall feed show FEED --format json` prints, or "
            + ", ".join(sorted({*CONFIG_KEYS, "settings", *SETTING_NAMES}))
            + ".",
        )
    settings = _read_settings(config)
    return RosterOptions(
        environment=_read_environment(environment or config.get("environment") or "sandbox"),
        mode=_read_mode(mode or config.get("mode")),
        content_type=config.get("content_type"),
        filename=filename,
        column_mapping=settings.column_mapping,
        header_hash=settings.header_hash,
        encoding=settings.encoding,
    )


def _read_settings(config: Mapping[str, Any]) -> FeedSettings:
    """Answer the settings that stand together, or each by itself."""
    together = config.get("settings", {})
    if not isinstance(together, Mapping):
        raise InvalidInput("The settings of a feed configuration must be an object.")
    apart = {name: config[name] for name in SETTING_NAMES if name in config}
    return change_feed_settings(FeedSettings(), {**together, **apart})


def _read_environment(environment: object) -> Environment:
    try:
        return Environment(str(environment))
    except ValueError:
        raise InvalidInput(f"environment must be one of: {', '.join(Environment)}.") from None


def _read_mode(mode: object) -> str | None:
    if mode not in (None, "snapshot", "delta"):
        raise InvalidInput("mode must be one of: delta, snapshot.")
    return mode if isinstance(mode, str) else None
