"""Inputs of several parts, a workbook's members or an export's files, as one readable text that a fuzzer may edit."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping

_HEAD = re.compile(rb"(?:\A|\n)--- ([^\n]{1,80})\n")


def join_parts(parts: Mapping[str, bytes]) -> bytes:
    """Answers the parts one behind another, each under a line with its name."""
    return b"\n".join(b"--- " + name.encode() + b"\n" + content for name, content in parts.items())


def split_parts(text: bytes) -> dict[str, bytes]:
    """Answers the parts by name; what stands before the first one is dropped, of two of a name the last counts."""
    pieces = _HEAD.split(text)
    return {name.decode("utf-8", "replace"): content for name, content in zip(pieces[1::2], pieces[2::2], strict=True)}


def list_members(workbook: bytes) -> dict[str, bytes]:
    """Answers what an archive holds."""
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zip_parts(parts: Mapping[str, bytes]) -> bytes:
    """Answers the parts as an archive, packed so that no ratio gives them away."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return stream.getvalue()
