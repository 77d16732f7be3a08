"""Streams JSON into trees: strict UTF-8, no key twice, bounded depth and numbers, and only the keys that are read."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO

import ijson

from service.rosters.encoding import Undecodable
from service.rosters.limits import (
    FREE_JSON_VALUES,
    MAX_JSON_DEPTH,
    MAX_JSON_KEYS,
    MAX_JSON_VALUES,
    MAX_NUMBER_DIGITS,
    MAX_TOKEN_BYTES,
    MIN_BYTES_PER_VALUE,
    TooLarge,
)

ROWS_KEY = "pairs"
_BLOCK = 1_024
_TAIL = 64
_CUT = re.compile(rb"[\s:,\[](?:t|tr|tru|f|fa|fal|fals|n|nu|nul|-|-?[0-9]+\.|-?[0-9.]+[eE][+-]?)$")
_LARGEST = 10**MAX_NUMBER_DIGITS


class NotJson(Exception):
    """The text is no JSON that can be taken at its word; `is_cut` says that it merely ends too early."""

    def __init__(self, *, is_cut: bool = False) -> None:
        super().__init__("not JSON")
        self.is_cut = is_cut


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept of the trees.

    `keys` are the names that are kept, `take_row` gets every item of a list of pairs in place of the tree, `keep_item`
    says what is kept of the items of a list under a name, `keep_resource` what of a resource, None for all of it; both
    with the number of values that are left.
    """

    keys: Mapping[str, str]
    take_row: Callable[[Any], None]
    keep_item: Mapping[str, Callable[[Any], tuple[Any, int]]]
    keep_resource: Callable[[dict[str, Any]], tuple[Any, int] | None]


class _Frame:
    """An object or array that is being read: `value` is None where it is only checked."""

    __slots__ = ("before", "key", "names", "take", "value", "whole")

    def __init__(
        self, value: dict[str, Any] | list[Any] | None, names: set[str] | None, *, whole: bool, before: int
    ) -> None:
        self.before = before
        self.value = value
        self.names = names
        self.whole = whole
        self.key: str | None = None
        self.take: Callable[[Any], Any] | None = None

    def keeps(self) -> bool:
        """Answers whether the value that comes next is part of the tree."""
        return self.value is not None and (self.names is None or self.key is not None)

    def add(self, item: Any) -> None:
        """Adds a value that is complete."""
        if isinstance(self.value, dict):
            self.value[self.key or ""] = item
        elif self.take is not None:
            self.take(item)
        elif self.value is not None:
            self.value.append(item)


class TreeReader:
    """Builds the top-level values of one stream."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._stack: list[_Frame] = []
        self._values = 0
        self._allowed = FREE_JSON_VALUES
        self._count_bytes: Callable[[], int] = lambda: 0

    @property
    def unfinished(self) -> Any:
        """The value that was being built when the stream ended or turned out wrong, None between two values."""
        return self._stack[0].value if self._stack else None

    def iter_documents(self, stream: BinaryIO) -> Iterator[Any]:
        """Yields each top-level value; raises NotJson, TooLarge and Undecodable."""
        checked = _CheckedStream(stream)
        self._count_bytes = lambda: checked.size
        events = ijson.basic_parse(checked, multiple_values=True)
        try:
            yield from self._build(events)
        except ijson.JSONError as error:
            is_cut = "premature EOF" in str(error) or checked.ends_within_token()
            raise NotJson(is_cut=is_cut) from None  # the error's text quotes the input
        except ArithmeticError:
            raise TooLarge from None  # an exponent that no number can have
        except (SystemError, ValueError):
            raise NotJson from None

    def _build(self, events: Iterable[tuple[str, Any]]) -> Iterator[Any]:
        for event, token in events:
            if event == "map_key":
                self._take_key(token)
            elif event in ("start_map", "start_array"):
                self._open(event == "start_map")
            else:
                if event in ("end_map", "end_array"):
                    frame = self._stack.pop()
                    if frame.value is None:
                        continue
                    token = self._close(frame)
                elif event == "number":
                    _check_number(token)
                if not self._stack:
                    self._count()
                    yield token
                elif self._stack[-1].keeps():
                    self._count()
                    self._stack[-1].add(token)

    def _count(self) -> None:
        """Counts one more value that is kept; raises TooLarge where there are more than what was read can mean."""
        self._values += 1
        if self._values > self._allowed:
            self._allowed = min(MAX_JSON_VALUES, max(FREE_JSON_VALUES, self._count_bytes() // MIN_BYTES_PER_VALUE))
            if self._values > self._allowed:
                raise TooLarge

    def _close(self, frame: _Frame) -> Any:
        """Answers what is kept of an object or array that is complete."""
        value = frame.value
        if isinstance(value, dict) and not frame.whole and "resourceType" in value:
            kept = self._plan.keep_resource(value)
            if kept is not None:
                self._values = frame.before + kept[1] - 1  # itself is counted where it is added
                return kept[0]
        return value

    def _take_key(self, name: str) -> None:
        frame = self._stack[-1]
        names = frame.names
        if names is None or name in names:
            raise NotJson
        names.add(name)
        if len(names) > MAX_JSON_KEYS:
            raise TooLarge
        frame.key = name if frame.whole else self._plan.keys.get(name)

    def _open(self, is_map: bool) -> None:
        if len(self._stack) >= MAX_JSON_DEPTH:
            raise TooLarge
        parent = self._stack[-1] if self._stack else None
        kept = parent is None or parent.keeps()
        whole = parent is not None and (parent.whole or parent.take == self._take_row)
        value: dict[str, Any] | list[Any] | None = ({} if is_map else []) if kept else None
        frame = _Frame(value, set() if is_map else None, whole=whole, before=self._values)
        if kept and not is_map and not whole:
            frame.take = self._find_taker(parent, frame)
        self._stack.append(frame)

    def _find_taker(self, parent: _Frame | None, frame: _Frame) -> Callable[[Any], Any] | None:
        """Answers where the items of a new array go, None where they stay in it."""
        if parent is None or (len(self._stack) == 1 and parent.key == ROWS_KEY):
            return self._take_row
        keep = self._plan.keep_item.get(parent.key or "")
        items = frame.value
        if keep is None or not isinstance(items, list):
            return None
        before = self._values

        def take(item: Any) -> None:
            nonlocal before
            kept, count = keep(item)
            items.append(kept)
            before += count
            self._values = before

        return take

    def _take_row(self, item: Any) -> None:
        self._values = 0
        self._plan.take_row(item)


class _CheckedStream:
    """Bytes on their way to the parser: strict UTF-8, and no token that never ends."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._run = 0
        self._tail = b""
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        """Answers the next bytes; raises Undecodable and TooLarge."""
        piece = self._stream.read(size)
        self.size += len(piece)
        self._tail = (self._tail + piece)[-_TAIL:]
        try:
            self._decoder.decode(piece, final=not piece)
        except UnicodeDecodeError:
            raise Undecodable from None
        last = piece.rfind(b'"')
        self._run = self._run + len(piece) if last < 0 else len(piece) - last
        if self._run > MAX_TOKEN_BYTES or _has_long_number(piece):
            raise TooLarge
        return piece

    def ends_within_token(self) -> bool:
        """Answers whether what was read so far ends in the middle of a word or number."""
        return _CUT.search(self._tail) is not None


def _has_long_number(piece: bytes) -> bool:
    """Answers whether a block is all digits; the parser's C code crashes on integers of over 4,300 digits."""
    return any(piece[at : at + _BLOCK].isdigit() for at in range(0, len(piece) - _BLOCK + 1, _BLOCK))


def _check_number(number: int | Decimal) -> None:
    if isinstance(number, int):
        if not -_LARGEST < number < _LARGEST:
            raise TooLarge
    elif len(number.as_tuple().digits) > MAX_NUMBER_DIGITS:
        raise TooLarge
