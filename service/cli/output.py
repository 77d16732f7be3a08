"""What verbs print: tables and sentences for people, JSON for scripts, errors with the next action."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

TABLE_WIDTH = 160


def to_json(value: object) -> Any:
    """Answer a value of dataclasses, times, enums and collections as JSON values; times are RFC 3339 in UTC."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return write_instant(value)
    if isinstance(value, (date, Path)):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(to_json(key)): to_json(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(to_json(item) for item in value)
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        return [to_json(item) for item in value]
    return value


def write_instant(at: datetime) -> str:
    """Answer an aware time as RFC 3339 in UTC, whole seconds unless it has a fraction."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def print_json(value: object) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(to_json(value), indent=2, ensure_ascii=False) + "\n")


def print_line(text: str = "") -> None:
    """Print one line on standard output, exactly as given."""
    sys.stdout.write(text + "\n")


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "Nothing to show.") -> None:
    """Print a table; `empty` is the sentence that stands for no rows."""
    listed = [[show_cell(cell) for cell in row] for row in rows]
    if not listed:
        print_line(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in listed:
        table.add_row(*(Text(cell) for cell in row))
    build_console().print(table)


def print_record(record: Iterable[tuple[str, object]]) -> None:
    """Print names and values below one another."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in record:
        table.add_row(Text(name), Text(show_cell(value)))
    build_console().print(table)


def show_cell(value: object) -> str:
    """Answer one value as a cell for people: nothing is a dash, times are in UTC to the minute."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {show_cell(item)}" for key, item in value.items() if item) or "-"
    if isinstance(value, (set, frozenset)):
        return ", ".join(sorted(show_cell(item) for item in value)) or "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(show_cell(item) for item in value) or "-"
    return str(value)


def build_console() -> Console:
    """Answer a console on today's standard output; a pipe gets wide lines, so that nothing is cut."""
    console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = TABLE_WIDTH
    return console


def print_error(code: str, message: str, next_action: str, *, as_json: bool) -> None:
    """Say what went wrong and what to do next, on standard error."""
    if as_json:
        body = {"error": {"code": code, "message": message, "next_action": next_action}}
        sys.stderr.write(json.dumps(body, ensure_ascii=False) + "\n")
        return
    sys.stderr.write(f"{message}\nNext: {next_action}\n")
