"""Raw roster files as they arrived, sealed piece by piece on disk; plain bytes exist in memory only."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from service.domain.errors import UnreadableFile
from service.storage.errors import StorageUnavailable
from service.storage.sealing import OrganizationKeys, SealBroken

PIECE = 1 << 20
LARGEST_FILE = 64 << 20
"""Bytes of one delivery; a million rows take about 50 MB."""
_LENGTH_BYTES = 4
_MORE, _LAST = "more", "last"


class Stream(Protocol):
    """Something to read bytes from: an upload, a file, standard input."""

    def read(self, size: int, /) -> bytes:
        """Answer at most `size` bytes; nothing at the end."""
        ...


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A raw file on disk: its path below the uploads folder, SHA-256 and size of the plain bytes."""

    path: str
    sha256: str
    size: int


def save_raw_file(
    keys: OrganizationKeys, folder: Path, file_id: str, stream: Stream, largest: int = LARGEST_FILE
) -> StoredFile:
    """Seal a stream into `folder`, in pieces of 1 MiB; it is there complete, flushed to disk, or not at all.

    Raises UnreadableFile (`too_large`, `empty`) and StorageUnavailable when the disk does not take it.
    """
    path = folder / keys.organization_id / f"{file_id}.sealed"
    partial = path.with_suffix(".partial")
    digest, size = hashlib.sha256(), 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(_open_private(partial), "wb") as out:
            for n, (piece, is_last) in enumerate(_read_pieces(stream)):
                size += len(piece)
                if size > largest:
                    raise UnreadableFile(
                        f"The file is larger than {largest >> 20} MiB.",
                        code="too_large",
                        next_action="Send one file per practice, or fewer columns.",
                    )
                digest.update(piece)
                sealed = keys.seal("delivery", "body", _place(file_id, n, is_last=is_last), piece)
                out.write(len(sealed).to_bytes(_LENGTH_BYTES, "big") + sealed)
            out.flush()
            os.fsync(out.fileno())
        if not size:
            raise UnreadableFile("The file is empty.", code="empty", next_action="Send the roster as the body.")
        partial.rename(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise StorageUnavailable(
            f"The file could not be stored ({type(error).__name__}).",
            next_action="See that the disk has room and the data folder can be written; then send it again.",
        ) from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return StoredFile(f"{keys.organization_id}/{file_id}.sealed", digest.hexdigest(), size)


@contextmanager
def open_raw_file(keys: OrganizationKeys, folder: Path, stored_path: str) -> Iterator[Path]:
    """Unseal a raw file into anonymous memory and answer a path to it that lives as long as the block.

    Raises SealBroken when a piece was changed, moved or cut off, StorageUnavailable when the file is gone.
    """
    file_id = Path(stored_path).name.removesuffix(".sealed")
    descriptor = os.memfd_create("roster", os.MFD_CLOEXEC)
    try:
        for piece in _unseal_pieces(keys, folder / stored_path, file_id):
            _write_all(descriptor, piece)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def delete_raw_file(folder: Path, stored_path: str) -> None:
    """Delete a raw file whose delivery was not recorded after all."""
    with suppress(OSError):
        (folder / stored_path).unlink(missing_ok=True)


def find_settled_files(folder: Path, organization_id: str, before: datetime) -> list[str]:
    """Answer the stored paths of an organisation's raw files, half-written ones included, not touched since a moment.

    The moment is one of the machine's own clock, which dates files.
    """
    found = []
    for path in sorted((folder / organization_id).glob("*")):
        with suppress(OSError):
            if path.suffix in (".sealed", ".partial") and path.stat().st_mtime < before.timestamp():
                found.append(f"{organization_id}/{path.name}")
    return found


def _read_pieces(stream: Stream) -> Iterator[tuple[bytes, bool]]:
    piece = _read_full(stream)
    while True:
        following = _read_full(stream) if len(piece) == PIECE else b""
        yield piece, not following
        if not following:
            return
        piece = following


def _read_full(stream: Stream) -> bytes:
    parts, missing = [], PIECE
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _unseal_pieces(keys: OrganizationKeys, path: Path, file_id: str) -> Iterator[bytes]:
    try:
        with path.open("rb") as sealed_file:
            length = sealed_file.read(_LENGTH_BYTES)
            n = 0
            while length:
                sealed = sealed_file.read(int.from_bytes(length, "big"))
                length = sealed_file.read(_LENGTH_BYTES)
                yield keys.unseal("delivery", "body", _place(file_id, n, is_last=not length), sealed)
                n += 1
            if n == 0:
                raise SealBroken
    except OSError as error:
        raise StorageUnavailable(f"A stored file cannot be read ({type(error).__name__}).") from None


def _place(file_id: str, n: int, *, is_last: bool) -> str:
    """Name a piece by file, place and end, so that pieces can be neither reordered nor cut off."""
    return f"{file_id}/{n}/{_LAST if is_last else _MORE}"


def _write_all(descriptor: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(descriptor, view) :]


def _open_private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
