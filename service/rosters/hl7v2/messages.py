"""One HL7 v2 message by fields, repetitions and components, with escapes undone after splitting (feeds 5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import hl7

from service.rosters.encoding import Undecodable

_HEADER = re.compile(r"MSH([^A-Za-z0-9\s])([^A-Za-z0-9\s]{2,5}?)(?:\1|$)")
_HEX = re.compile(r"X((?:[0-9A-Fa-f]{2}){1,64})")
_CHARSETS = {"UNICODE UTF-8": "utf-8", "UTF-8": "utf-8", "ASCII": "ascii"} | {
    f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 12), 13, 14, 15, 16)
}
_NULL = '""'


class NotAMessage(Exception):
    """The header of a message declares no delimiters that could be split at."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message; every answer is text without escapes, empty where nothing is there."""

    parsed: hl7.Message
    escapes: dict[str, str]

    def get(self, segment: str, field: int, component: int = 1) -> str:
        """Answers a component of the first repetition of a field of the first segment of a kind."""
        segments = self.list_segments(segment)
        return self.read_first(segments[0], field, component) if segments else ""

    def read_first(self, segment: hl7.Segment, field: int, component: int = 1) -> str:
        """Answers a component of the first repetition of a field."""
        repetitions = self.list_repetitions(segment, field)
        return self.read(repetitions[0], component) if repetitions else ""

    def list_segments(self, name: str) -> list[hl7.Segment]:
        """Answers all segments of a kind."""
        return [one for one in self.parsed if str(one[0]) == name]

    def list_repetitions(self, segment: hl7.Segment, field: int) -> list[Sequence[Sequence[str]]]:
        """Answers the repetitions of a field as components of sub-components, still escaped."""
        if field >= len(segment):
            return []
        return [[_list_parts(component) for component in _list_parts(one)] for one in _list_parts(segment[field])]

    def read(self, repetition: Sequence[Sequence[str]], component: int, part: int = 1) -> str:
        """Answers a sub-component (both counted from 1); HL7's explicit null is empty."""
        if component > len(repetition) or part > len(repetition[component - 1]):
            return ""
        text = str(repetition[component - 1][part - 1])
        return "" if text == _NULL else self._undo_escapes(text).strip()

    def _undo_escapes(self, text: str) -> str:
        escape = self.escapes["E"]
        if escape not in text:
            return text
        quoted = re.escape(escape)
        return re.sub(f"{quoted}([^{quoted}]*){quoted}", lambda found: self._find_escaped(found.group(1)), text)

    def _find_escaped(self, name: str) -> str:
        """Answers what an escape stands for; formatting stands for a blank (HL7 v2.5.1, 2.7)."""
        if name in self.escapes:
            return self.escapes[name]
        found = _HEX.fullmatch(name)
        if not found:
            return " "
        raw = bytes.fromhex(found.group(1))
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            return raw.decode("latin-1")


def parse_message(segments: Sequence[bytes], *, is_marked: bool = False) -> Message:
    """Answers one message of segments; raises NotAMessage, also where there are none, and Undecodable.

    `is_marked` is said of `decode_message`.
    """
    if not segments:
        raise NotAMessage
    text = decode_message(segments, is_marked=is_marked)
    header = _HEADER.match(text.partition("\r")[0])
    if not header or len({*header.group(1), *header.group(2)}) != 1 + len(header.group(2)):
        raise NotAMessage
    defaults = "^~\\&"
    marks = header.group(2) + defaults[len(header.group(2)) :]
    escapes = {"F": header.group(1), "S": marks[0], "R": marks[1], "E": marks[2], "T": marks[3]}
    try:
        return Message(hl7.parse(text), escapes)
    except (hl7.HL7Exception, ValueError, IndexError, AssertionError) as error:
        raise NotAMessage from error


def decode_message(segments: Sequence[bytes], *, is_marked: bool = False) -> str:
    """Answers the segments as text: by MSH-18, else strict UTF-8, else Windows-1252 (feeds 3.2).

    `is_marked` says that the first bytes of the file show UTF-8 or what was made UTF-8 since: this goes before MSH-18.
    """
    content = b"\r".join(segments)
    fields = segments[0].split(segments[0][3:4] or b"|")
    first = fields[17].partition(segments[0][5:6] or b"~")[0] if len(fields) > 17 else b""  # of several the default
    declared = first.decode("ascii", errors="replace").strip().upper()
    for encoding in ("utf-8" if is_marked else None, _CHARSETS.get(declared), "utf-8", "cp1252"):
        try:
            if encoding:
                return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Undecodable


def _list_parts(container: Any) -> list[Any]:
    """Answers the parts of a level that was split, or the text itself where there was nothing to split."""
    return [container] if isinstance(container, str) else list(container)
