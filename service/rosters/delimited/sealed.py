"""The trailer `T,<rows>,<sha256>` with which a sender seals a table of text (reliability S6.1)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from service.domain.identifiers import EDGE_BLANKS

_TAIL_BYTES = 1 << 10
_PIECE = 1 << 20
_ROWS = re.compile("[0-9]{1,15}")
_DIGEST = re.compile("[0-9A-Fa-f]{64}")
_LAST_LINE = re.compile(
    r'(?<![^\r\n])[,;\t|]*"?T"?([,;\t|])"?[0-9]{1,15}"?\1"?([0-9A-Fa-f]{64})"?[,;\t| ]*[\r\n]*\Z', re.ASCII
)


def find_sealed_count(filled: Sequence[str]) -> int | None:
    """Answers the number of rows that a row states if its filled cells are those of a seal."""
    cells = [cell.strip(EDGE_BLANKS) for cell in filled]
    if len(cells) != 3 or cells[0] != "T" or not _ROWS.fullmatch(cells[1]) or not _DIGEST.fullmatch(cells[2]):
        return None
    return int(cells[1])


def is_altered(path: Path, encoding: str | None) -> bool:
    """Answers whether the last line of a file states another SHA-256 than that of all bytes before this line.

    They are the bytes as they arrived (or came out of a gzip body), byte order mark and line ends included.
    """
    wide = 2 if encoding in ("utf-16-le", "utf-16-be") else 1
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - _TAIL_BYTES))
        tail = stream.read().decode(encoding or "" if wide == 2 else "latin-1", errors="replace")
        found = _LAST_LINE.search(tail)
        if found is None:
            return False
        stream.seek(0)
        left, digest = size - wide * (len(tail) - found.start()), hashlib.sha256()
        while left > 0 and (piece := stream.read(min(_PIECE, left))):
            digest.update(piece)
            left -= len(piece)
    return digest.hexdigest() != found.group(2).lower()
