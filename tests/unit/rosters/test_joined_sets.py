"""Bulk exports as one body: the manifest and the files behind it, as an EHR or a shell puts them together."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from export_sets import (
    SANDBOX,
    build_files,
    build_manifest,
    join_set,
    save_export,
    save_set,
    tell_all,
    write_lines,
)
from fhir_documents import BASE, A, B, C, Json, N, patient

from service.domain.errors import UnreadableFile
from service.rosters.json_text.joined_set import open_delivery
from service.rosters.read import check_roster, read_roster

FILES = build_files([A, B], N)
BAD = {**FILES, "Patient.ndjson": [*FILES["Patient.ndjson"], patient(C, id="p9", birthDate="x")]}
PAIRS = [[A, N], [B, N]]


def save(folder: Path, *pieces: bytes) -> Path:
    path = folder / "body"
    path.write_bytes(b"".join(pieces))
    return path


def concatenate(manifest: Json, files: dict[str, list[Json]], *, indent: int | None = 1) -> bytes:
    """What `cat` makes of the files of an export."""
    return b"".join([json.dumps(manifest, indent=indent).encode(), b"\n", *map(write_lines, files.values())])


@pytest.mark.parametrize("indent", [None, 1])
def test_a_manifest_with_its_files_behind_it_is_a_set(tmp_path: Path, indent: int | None) -> None:
    body = concatenate(build_manifest(FILES), FILES, indent=indent)
    reading = read_roster(save(tmp_path, body), SANDBOX)
    assert reading.as_of_at == datetime(2021, 8, 5, 14, 31, 4, 441_000, tzinfo=UTC)
    assert (reading.format, reading.file_error, reading.mode_signal) == ("ndjson", None, "snapshot")
    assert [list(pair) for pair in reading.present.iter_pairs()] == PAIRS
    assert tell_all(tmp_path / "body") == tell_all(save_export(tmp_path / "export", FILES))


SIGNALS: dict[str, tuple[Json, str]] = {
    "whole": ({}, "snapshot"),
    "since": ({"request": f"{BASE}$export?_since=2021-01-01"}, "delta"),
    "deleted": ({"deleted": [{"url": "x"}]}, "delta"),
    "error": ({"error": [{"url": "x"}]}, "partial"),
    "next page": ({"link": [{"relation": "NEXT", "url": f"{BASE}manifest/2"}]}, "partial"),
    "no counts": ({"output": [{"type": name[:-7], "url": name} for name in FILES]}, "partial"),
    "a count too many": ({"output": [*build_manifest(FILES)["output"], {"type": "Patient", "count": 1}]}, "partial"),
    "a file too many": ({"output": build_manifest(FILES)["output"][:2]}, "partial"),
    "a count above": ({"output": build_manifest(BAD)["output"]}, "partial"),
    "an empty file": ({"output": [*build_manifest(FILES)["output"], {"type": "Coverage", "count": 0}]}, "snapshot"),
    "another order": ({"output": build_manifest(FILES)["output"][::-1]}, "snapshot"),
    "no types": ({"output": [{"url": n, "count": len(lines)} for n, lines in FILES.items()]}, "snapshot"),
    "a count of no end": ({"output": [{"url": "a", "count": 10**18}, {"url": "a", "count": 4 - 10**18}]}, "partial"),
    "one name twice": (
        {"output": [{"url": "a", "count": 2}, {"url": "a", "count": 2}]}, "partial"),
}  # fmt: skip


@pytest.mark.parametrize("name", SIGNALS)
def test_joined_files_are_as_whole_as_their_manifest_says(tmp_path: Path, name: str) -> None:
    more, signal = SIGNALS[name]
    found = check_roster(save(tmp_path, concatenate(build_manifest(FILES, **more), FILES)), SANDBOX)
    assert (found["file_error"], found["mode_signal"], found["present"]) == (None, signal, PAIRS)


def test_a_finding_leads_to_the_line_of_its_file_or_else_of_the_body(tmp_path: Path) -> None:
    files: Any = {"a.ndjson": [], "Group.ndjson": [], "Patient.ndjson": BAD["Patient.ndjson"]}
    files["Patient.ndjson"] = [one | {"generalPractitioner": []} for one in files["Patient.ndjson"]]
    manifest = build_manifest(files)
    del manifest["output"][0]["type"]
    body = concatenate(manifest, files)
    assert check_roster(save(tmp_path, body), SANDBOX)["warnings"] == [["Patient.ndjson:3", "dob_unparseable"]]
    manifest["output"][2]["count"] = 9
    body = concatenate(manifest, files)
    last = str(body.count(b"\n"))
    assert check_roster(save(tmp_path, body), SANDBOX)["warnings"] == [[last, "dob_unparseable"]]


def test_sizes_tell_the_files_apart_where_counts_do_not(tmp_path: Path) -> None:
    folder = save_export(tmp_path / "export", BAD, output=[{"url": f"{BASE}{name}"} for name in BAD])
    joined = save(tmp_path, join_set(folder))
    assert tell_all(joined) == tell_all(folder)
    assert check_roster(joined, SANDBOX)["mode_signal"] == "snapshot"


BROKEN: dict[str, tuple[Any, str]] = {
    "cut between two files": (lambda body: body[: body.index(b'{"resourceType": "Group"')], "truncated"),
    "cut within a line": (lambda body: body[:-40], "truncated"),
    "more than is listed": (lambda body: body + write_lines([patient(C)]), "count_mismatch"),
    "the manifest alone": (lambda body: body[: body.index(b"\n") + 1], "truncated"),
    "a key twice in the manifest": (
        lambda body: b'{"error":[],"error":[],' + body[1:], "unsupported_format_ndjson"),
    "something else behind it": (
        lambda body: body[: body.index(b"\n") + 1].replace(b"following", b"x") + b"[1]\n", "unsupported_format_ndjson"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_body_that_is_not_what_its_manifest_says_is_refused_whole(tmp_path: Path, name: str) -> None:
    spoil, error = BROKEN[name]
    body = join_set(save_export(tmp_path / "export", FILES))
    found = check_roster(save(tmp_path, spoil(body)), SANDBOX)
    assert (found["format"], found["file_error"], found["present"]) == ("ndjson", error, [])


def test_a_manifest_without_any_file_is_refused(tmp_path: Path) -> None:
    body = json.dumps(build_manifest(FILES)).encode()
    for end in (b"", b"\n"):
        assert read_roster(save(tmp_path, body, end), SANDBOX).file_error == "unsupported_format_ndjson"


def test_a_file_in_utf_16_behind_a_short_manifest_is_refused_as_in_the_folder(tmp_path: Path) -> None:
    files = {"a": json.dumps(patient(A)).encode("utf-16")}
    folder = save_set(tmp_path / "export", files, {"output": [{"url": "a"}]})
    assert tell_all(save(tmp_path, join_set(folder))) == tell_all(folder)
    assert read_roster(tmp_path / "body", SANDBOX).file_error == "encoding_undecodable"


def test_a_packed_body_is_read_too(tmp_path: Path) -> None:
    body = join_set(save_export(tmp_path / "export", FILES))
    assert check_roster(save(tmp_path, gzip.compress(body)), SANDBOX)["present"] == PAIRS


def test_a_folder_is_joined_without_what_its_manifest_does_not_name(tmp_path: Path) -> None:
    (tmp_path / "Secret.ndjson").write_bytes(write_lines([patient(C)]))
    output = [*build_manifest(FILES)["output"], {"url": "../Secret.ndjson"}, {"url": "link.ndjson"}]
    folder = save_export(tmp_path / "export", FILES, output=output)
    (folder / "link.ndjson").symlink_to(tmp_path / "Secret.ndjson")
    (folder / "extra.ndjson").write_bytes(write_lines([patient(C)]))
    body = join_set(folder)
    assert C.encode() not in body
    assert check_roster(save(tmp_path, body), SANDBOX)["mode_signal"] == "partial"


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"output":[]}', '{"output":[],"output":[]}', '"x'])
def test_a_folder_without_a_manifest_of_files_is_not_delivered(tmp_path: Path, text: str | None) -> None:
    folder = save_set(tmp_path / "export", {name: write_lines(lines) for name, lines in FILES.items()}, None)
    if text is not None:
        (folder / "manifest.json").write_text(text)
    with pytest.raises(UnreadableFile, match=r"manifest\.json") as refused:
        open_delivery(folder)
    assert "Save what the export answered" in refused.value.next_action


def test_a_file_that_shrinks_while_it_is_read_is_not_delivered(tmp_path: Path) -> None:
    folder = save_export(tmp_path / "export", FILES)
    with open_delivery(folder) as stream:
        (folder / "Group.ndjson").write_bytes(b"{")
        with pytest.raises(UnreadableFile, match="shorter"):
            stream.read()


def test_more_files_than_are_opened_are_refused(tmp_path: Path) -> None:
    output = [{"url": f"f{n}", "count": 0, "followingBytes": 0} for n in range(5_001)]
    manifest = build_manifest({}, output=output)
    assert read_roster(save(tmp_path, json.dumps(manifest).encode()), SANDBOX).file_error == "too_large"
    folder = save_set(tmp_path / "export", {}, manifest)
    assert read_roster(folder, SANDBOX).file_error == "too_large"
    with pytest.raises(UnreadableFile, match="too many files"):
        open_delivery(folder)
