"""A bulk export as one body: its manifest, and behind it the files in the order of its `output`.

Where the manifest gives the bytes of a file as `followingBytes`, each file is told from the next, and one without is
missing. Without any such size the lines are told apart by `type` and `count` alone.
"""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

from service.domain.errors import UnreadableFile
from service.rosters.encoding import Undecodable, open_source
from service.rosters.fhir.resources import list_objects
from service.rosters.json_text.documents import NotJson
from service.rosters.json_text.manifests import SIZE, Manifest, build_manifest, load_manifest
from service.rosters.json_text.parts import Part, find_file, find_part, open_pieces
from service.rosters.limits import TooLarge

MANIFEST = "manifest.json"
_MOST_BYTES = 1 << 20
"""Bytes of a manifest in front of its files."""
_LEAST_BYTES = 4_096
_SIGNS = ("output", "transactionTime")
"""Elements that every manifest has, and no resource."""
_NO_COUNT = 0.5
_BLANK = " \t\r\n"


class WrongSize(Exception):
    """The sizes in the manifest do not add up to the body."""


@dataclass(frozen=True, slots=True)
class JoinedSet:
    """A manifest and where the rest of the body begins."""

    manifest: Manifest
    path: Path
    head: bytes

    @property
    def is_cut(self) -> bool:
        """Answers whether the manifest says where each of the files ends."""
        return any(output.size is not None for output in self.manifest.outputs)

    def find_rest(self) -> Part:
        """Answers all that stands behind the manifest."""
        return Part("", self.path, len(self.head), self.path.stat().st_size - len(self.head))

    def cut_parts(self) -> list[Part]:
        """Answers the files that are there; raises NotJson where the body is shorter, WrongSize where it is longer."""
        whole = self.path.stat().st_size
        parts: list[Part] = []
        with self.path.open("rb") as stream:
            at = _skip_line_end(stream, len(self.head))
            for output in self.manifest.outputs:
                if output.size is None:
                    continue
                parts.append(Part(output.name, self.path, at, output.size))
                at += output.size
                if at > whole:
                    raise NotJson(is_cut=True)
                at = at if _ends_line(stream, parts[-1]) else _skip_line_end(stream, at)
        if at < whole:
            raise WrongSize
        return parts


def find_joined_set(path: Path) -> JoinedSet | None:
    """Answers the set that a body holds, None where it does not begin with a manifest.

    Raises NotJson, TooLarge and Undecodable for a manifest that cannot be taken at its word.
    """
    head = _find_head(path)
    if head is None:
        return None
    content = load_manifest(io.BytesIO(head.removeprefix(codecs.BOM_UTF8)))
    return JoinedSet(build_manifest(content), path, head)


def is_joined_set(path: Path) -> bool:
    """Answers whether a body begins with the manifest of an export."""
    return _find_head(path) is not None


def open_delivery(path: Path) -> BinaryIO:
    """Opens what is delivered of a path: the bytes of a file, or the files of an export's folder as one body.

    The same folder gives the same bytes. Raises UnreadableFile for a folder without a manifest that can be read, and
    while it is being read for a file that changes.
    """
    if not path.is_dir():
        return path.open("rb")
    content, manifest = _load_content(path)
    parts: dict[str, Part] = {}
    outputs = []
    for item, output in zip(list_objects(content, "output"), manifest.outputs, strict=True):
        told = {key: value for key, value in item.items() if key != SIZE}
        part = find_part(path, output.name)
        if part and output.name not in parts:
            parts[output.name] = part
            told[SIZE] = part.size
        outputs.append(told)
    content = {**dict.fromkeys(_SIGNS), **content, "output": outputs}
    head = json.dumps(content, separators=(",", ":"), sort_keys=True, default=_write_number).encode()
    if len(head) > _MOST_BYTES:
        raise _refuse_many()
    return open_pieces(_iter_joined(head, parts.values()))


def _load_content(folder: Path) -> tuple[dict[str, Any], Manifest]:
    path = find_file(folder, MANIFEST)
    if path is None:
        raise UnreadableFile(
            f"The folder has no {MANIFEST}, so nobody can tell whether the export is whole.",
            next_action=f"Save what the export answered when it was done as {MANIFEST} there, or send one file.",
        )
    try:
        with open_source(path).open() as stream:
            content = load_manifest(stream)
        manifest = build_manifest(content)
    except TooLarge:
        raise _refuse_many() from None
    except (NotJson, Undecodable):
        manifest = Manifest((), None)
    if not manifest.outputs:
        raise UnreadableFile(
            f"The folder's {MANIFEST} is no manifest that lists files.",
            next_action="Save what the export answered when it was done under that name, unchanged.",
        )
    return content, manifest


def _refuse_many() -> UnreadableFile:
    return UnreadableFile("The manifest lists too many files.", next_action="Export to fewer, larger files.")


def _iter_joined(head: bytes, parts: Iterable[Part]) -> Iterator[bytes]:
    yield head + b"\n"
    for part in parts:
        left, last = part.size, b"\n"
        try:
            for piece in part.iter_bytes():
                left, last = left - len(piece), piece[-1:]
                yield piece
        except OSError as error:
            raise UnreadableFile(
                f"A file of the export cannot be read ({type(error).__name__}).",
                next_action="See that the files of the folder may be read; then receive it again.",
            ) from None
        if left:
            raise UnreadableFile(
                "A file of the export became shorter while it was read.",
                next_action="Wait until the export is written whole; then receive it again.",
            )
        if last != b"\n":
            yield b"\n"


def _write_number(number: object) -> float:
    """Answers a number with a fraction, which is no count; one that JSON cannot hold becomes another such."""
    if not isinstance(number, Decimal):
        raise TypeError
    return float(number) if abs(number) < _MOST_BYTES and float(number) == number else _NO_COUNT


def _find_head(path: Path) -> bytes | None:
    """Answers the bytes of the manifest that a body begins with."""
    with path.open("rb") as stream:
        head = stream.read(_LEAST_BYTES)
        if not head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{"):
            return None
        head += stream.read(_MOST_BYTES - len(head))
    if not all(f'"{sign}"'.encode() in head for sign in _SIGNS):
        return None
    mark = codecs.BOM_UTF8 if head.startswith(codecs.BOM_UTF8) else b""
    text = head.removeprefix(mark).decode("utf-8", "surrogateescape")
    try:
        content, end = json.JSONDecoder().raw_decode(text, len(text) - len(text.lstrip(_BLANK)))
    except (ValueError, RecursionError):
        return None
    if not (isinstance(content, dict) and content.keys() >= set(_SIGNS)):
        return None
    return mark + text[:end].encode("utf-8", "surrogateescape")


def _skip_line_end(stream: BinaryIO, at: int) -> int:
    """Answers the place behind the line break that may stand here."""
    stream.seek(at)
    following = stream.read(2)
    return at + (2 if following == b"\r\n" else int(following[:1] == b"\n"))


def _ends_line(stream: BinaryIO, part: Part) -> bool:
    """Answers whether nothing has to follow the part for the next one to begin a line."""
    if not part.size:
        return True
    stream.seek(part.start + part.size - 1)
    return stream.read(1) == b"\n"
