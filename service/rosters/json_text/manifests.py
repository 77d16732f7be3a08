"""The manifest of a bulk export: which files it consists of, and what it says about completeness (feeds 4.1, 4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from service.rosters.fhir.entries import find_weakest
from service.rosters.fhir.resources import list_objects
from service.rosters.json_text.documents import Plan, TreeReader
from service.rosters.json_text.times import find_time
from service.rosters.limits import TooLarge

SIZE = "followingBytes"
"""What a listed file has in the manifest of a joined set: how many of the bytes behind the manifest are its own."""
MOST_FILES = 5_000
"""Files of one export: each of them is opened."""
_ELEMENTS = f"output url type count error deleted link relation request transactionTime {SIZE}"
_KEYS = {name: name for name in _ELEMENTS.split()}


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a manifest lists, by the name it has once downloaded; `size` is in bytes."""

    name: str
    kind: str | None = None
    count: object = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export says it consists of, what that means for completeness, and as of when."""

    outputs: tuple[Output, ...]
    signal: str | None
    as_of_at: datetime | None = None

    @property
    def counts(self) -> dict[str, object]:
        """What is said of how many lines a file has, by its name; of two that have one name the last counts."""
        return {output.name: output.count for output in self.outputs}

    def list_lengths(self) -> list[int] | None:
        """Answers how many lines each of the files has, None unless that is said of all."""
        lengths = [output.count for output in self.outputs if isinstance(output.count, int) and is_count(output.count)]
        return lengths if len(lengths) == len(self.outputs) else None


def load_manifest(stream: BinaryIO) -> dict[str, Any]:
    """Answers the elements of a manifest that are read; none where it is no object.

    Raises NotJson, TooLarge and Undecodable.
    """
    found = list(TreeReader(Plan(_KEYS, lambda _: None, {}, lambda _: None)).iter_documents(stream))
    return found[0] if len(found) == 1 and isinstance(found[0], dict) else {}


def build_manifest(content: dict[str, Any]) -> Manifest:
    """Answers what the elements of a manifest mean; raises TooLarge."""
    outputs = tuple(_build_output(item) for item in list_objects(content, "output"))
    if len(outputs) > MOST_FILES:
        raise TooLarge
    signals = ["snapshot", *_iter_signals(content)]
    if len({output.name for output in outputs}) < len(outputs):
        signals.append("partial")  # two files that are one here
    return Manifest(outputs, find_weakest(signals), find_time(content.get("transactionTime")))


def is_count(value: object) -> bool:
    """Answers whether a value can be a number of lines or bytes."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _build_output(item: Mapping[str, Any]) -> Output:
    kind, size = item.get("type"), item.get(SIZE)
    return Output(
        name=_find_name(item.get("url")),
        kind=kind if isinstance(kind, str) else None,
        count=item.get("count"),
        size=size if isinstance(size, int) and is_count(size) else None,
    )


def _iter_signals(content: dict[str, Any]) -> Iterator[str]:
    if "_since" in str(content.get("request")) or content.get("deleted"):
        yield "delta"
    if content.get("error") or any(_is_next(link) for link in list_objects(content, "link")):
        yield "partial"


def _is_next(link: Mapping[str, Any]) -> bool:
    """Answers whether a link leads to the rest of the manifest."""
    relation = link.get("relation")
    return isinstance(relation, str) and relation.strip().lower() == "next"


def _find_name(url: object) -> str:
    """Answers the last part of a URL, which is how a downloaded file is called."""
    try:
        return PurePosixPath(urlsplit(url).path).name if isinstance(url, str) else ""
    except ValueError:
        return ""
