"""The trailer `T,<rows>,<sha256>` with which a sender seals a table of text (reliability S6.1)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.rosters.values import unwrap_cell

_PIECE = 1 << 20
_SEAL = re.compile(r"T[,;\t| ]+([0-9]{1,15})[,;\t| ]+([0-9A-Fa-f]{64})[,;\t| ]*")
_UNITS = {"utf-16-le": "<u2", "utf-16-be": ">u2"}
_LF, _CR = ord("\n"), ord("\r")


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal behind which a table has nothing but blanks: its physical line (from 1), and what it states."""

    line: int
    digest: str


PASSED = Seal(0, "")
"""A seal behind which there is more: nothing verifies that."""


def find_seal(filled: Sequence[str]) -> tuple[int, str] | None:
    """Answers the number of rows and the SHA-256 that a row states if its filled cells are those of a seal.

    It is one as well where it keeps its own delimiter in a table of another.
    """
    if len(filled) > 3 or not filled or not filled[0].startswith("T"):
        return None
    found = _SEAL.fullmatch(",".join(map(unwrap_cell, filled)))
    return (int(found.group(1)), found.group(2).lower()) if found else None


def is_altered(seal: Seal, path: Path, encoding: str | None) -> bool:
    """Answers whether a seal states another SHA-256 than that of all bytes before its line, or leaves some unsealed.

    They are the bytes as they arrived (or came out of a gzip body), byte order mark and line ends included.
    """
    return seal is PASSED or _hash_lines(path, seal.line - 1, _UNITS.get(encoding or "", "u1")) != seal.digest


def _hash_lines(path: Path, lines: int, unit: str) -> str:
    """Answers the SHA-256 of the first lines of a file; `unit` is the type of its characters."""
    digest = hashlib.sha256()
    for characters in _iter_pieces(path, unit) if lines else ():
        ends = _find_line_ends(characters)
        if len(ends) >= lines:
            digest.update(characters[: ends[lines - 1] + 1].tobytes())
            break
        digest.update(characters.tobytes())
        lines -= len(ends)
    return digest.hexdigest()


def _iter_pieces(path: Path, unit: str) -> Iterator[NDArray[np.integer]]:
    """Yields the characters of a file in pieces that end between no carriage return and its line feed."""
    left, size = b"", np.dtype(unit).itemsize
    with path.open("rb") as stream:
        while piece := left + stream.read(_PIECE):
            characters = np.frombuffer(piece, unit)
            cut = len(characters) - int(characters[-1] == _CR and len(piece) > len(left))
            left = piece[cut * size :]
            yield characters[:cut]


def _find_line_ends(characters: NDArray[np.integer]) -> NDArray[np.intp]:
    """Answers where lines end, at the line feed of both marks."""
    feeds, returns = characters == _LF, characters == _CR
    returns[:-1] &= ~feeds[1:]
    return np.flatnonzero(feeds | returns)
