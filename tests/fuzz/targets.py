"""One target per reader: how the bytes of a fuzzer become a file with options, and what must hold of the reading."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from pathlib import Path

from service.domain.errors import UnreadableFile
from service.domain.identifiers import Environment
from service.rosters.delimited.reader import read_delimited
from service.rosters.formats import Reader, find_format
from service.rosters.heading_rows import read_headings
from service.rosters.hl7v2.reader import read_hl7v2
from service.rosters.json_text.export_set import read_export_set
from service.rosters.json_text.joined_set import open_delivery
from service.rosters.json_text.reader import read_json
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions, RosterReading
from service.rosters.workbook.archive import is_workbook
from service.rosters.workbook.reader import read_workbook
from tests.fuzz.parts import split_parts, zip_parts
from tests.fuzz.promises import bound_cost, check_headings, check_same, promise, read_twice

_DAY = date(2026, 1, 2)
_SANDBOX = Environment.SANDBOX
_MAPPING = {"mbi": "Member Key", "npi": "Doctor"}
OPTIONS: dict[str, RosterOptions] = {
    "a": RosterOptions(_SANDBOX),
    "b": RosterOptions(Environment.PRODUCTION),
    "c": RosterOptions(_SANDBOX, mode="snapshot", today=_DAY),
    "d": RosterOptions(_SANDBOX, mode="delta", today=_DAY, filename="member-add.json"),
    "e": RosterOptions(_SANDBOX, column_mapping=_MAPPING, today=_DAY),
    "f": RosterOptions(_SANDBOX, column_mapping=_MAPPING, header_hash="0" * 64),
    "g": RosterOptions(_SANDBOX, encoding="windows-1252"),
    "h": RosterOptions(_SANDBOX, encoding="utf-16"),
    "i": RosterOptions(_SANDBOX, max_rows=2),
    "j": RosterOptions(_SANDBOX, content_type="application/fhir+json", filename="member-remove changes"),
}
"""What a feed may want, by the first byte of an input; any other byte stands for the first of them."""

Target = Callable[[bytes], RosterReading | None]


def split_options(raw: bytes) -> tuple[RosterOptions, bytes]:
    """Answers the options that the first byte chooses, and the content behind it."""
    return OPTIONS.get(chr(raw[0]) if raw else "a", OPTIONS["a"]), raw[1:]


def _build_file_target(reader: Reader, build: Callable[[bytes], bytes] = bytes) -> Target:
    def read(raw: bytes) -> RosterReading:
        options, content = split_options(raw)
        with _keep_file(build(content)) as path:
            return read_twice(lambda: reader(path, options), options)

    return read


def _read_archive(raw: bytes) -> RosterReading:
    options, content = split_options(raw)
    with _keep_file(content) as path:
        promise(isinstance(is_workbook(path), bool), "an archive is a workbook or none")
        return read_twice(lambda: read_workbook(path, options), options)


def _read_set(raw: bytes) -> RosterReading:
    options, content = split_options(raw)
    with tempfile.TemporaryDirectory(dir=_find_memory()) as name:
        folder = Path(name)
        for part, lines in split_parts(content).items():
            if Path(part).name == part != ".." and "\0" not in part:
                (folder / part).write_bytes(lines)
        reading = read_twice(lambda: read_export_set(folder, options), options)
        _check_joined(folder, options, reading)
        return reading


def _check_joined(folder: Path, options: RosterOptions, reading: RosterReading) -> None:
    """Raises Broken unless what is delivered of a folder says the same as the folder."""
    try:
        with open_delivery(folder) as stream:
            body = stream.read()
    except UnreadableFile:
        return
    with _keep_file(body) as path:
        joined = read_twice(lambda: read_export_set(path, options), options)
    check_same(reading, joined)


def _read_headings(raw: bytes) -> None:
    options, content = split_options(raw)
    with _keep_file(_zip_if_parts(content)) as path, bound_cost():
        check_headings(read_headings(path, options))


def _zip_if_parts(content: bytes) -> bytes:
    return zip_parts(split_parts(content)) if content.startswith(b"--- ") else content


def _pack(content: bytes) -> bytes:
    """Answers a gzip body: r as it is, p packed, c cut off, m in two members, anything else packed twice."""
    way, body = content[:1], content[1:]
    packed = gzip.compress(body, 1, mtime=0)
    half = len(body) // 2
    ways = {
        b"r": body,
        b"p": packed,
        b"c": packed[: max(2, len(packed) - 1 - len(body) % 11)],
        b"m": gzip.compress(body[:half], 1, mtime=0) + gzip.compress(body[half:], 1, mtime=0) + bytes(3),
    }
    return ways.get(way, gzip.compress(packed, 1, mtime=0))


def _detect(path: Path, options: RosterOptions) -> RosterReading:
    promise(find_format(path) == find_format(path), "a format is found the same way twice")
    return read_roster(path, options)


@cache
def _find_memory() -> str | None:
    """Answers a folder in memory, so that a fuzzer wears out no disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@contextmanager
def _keep_file(content: bytes) -> Iterator[Path]:
    """Answers a path to a file with this content that lives as long as the block."""
    descriptor, name = tempfile.mkstemp(dir=_find_memory())
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield Path(name)
    finally:
        Path(name).unlink()


TARGETS: dict[str, Target] = {
    "delimited": _build_file_target(read_delimited),
    "headings": _read_headings,
    "workbook": _build_file_target(read_workbook, lambda content: zip_parts(split_parts(content))),
    "archive": _read_archive,
    "json_pairs": _build_file_target(read_json),
    "fhir": _build_file_target(read_json),
    "ndjson": _build_file_target(read_json),
    "export_set": _read_set,
    "joined_set": _build_file_target(read_export_set),
    "hl7v2": _build_file_target(read_hl7v2),
    "gzip": _build_file_target(read_roster, _pack),
    "detection": _build_file_target(_detect),
}
"""Every reader by name; a target raises for nothing but a broken promise."""
