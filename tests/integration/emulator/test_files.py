"""The files of an export: headers, compression, conditions and odd ranges (contract-v1 10.3)."""

from __future__ import annotations

import gzip
import hashlib
import re
import uuid

import pytest
import requests
from emulator_customer import Customer, Scene
from emulator_exports import ask, fetch, find_extension, finish


@pytest.fixture
def url(roster: Scene) -> str:
    """A file of claims, large enough to be cut."""
    asked = ask(roster.customer, f"/Group/{roster.group_id}", "?_type=ExplanationOfBenefit")
    (entry,) = finish(roster.customer, asked)["output"]
    return str(entry["url"])


def test_a_file_has_odd_headers(customer: Customer, url: str) -> None:
    """contract-v1 10.3: a bare checksum, milliseconds for a date."""
    answer = fetch(customer, url)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/ndjson")
    assert answer.headers["ETag"] == hashlib.sha256(answer.content).hexdigest()
    assert re.fullmatch(r"[0-9]{13}", answer.headers["Last-Modified"])
    assert set(answer.headers["Cache-Control"].split(", ")) == {"no-cache", "no-store"}
    assert "Content-Encoding" not in answer.headers


def test_checksum_is_of_the_plain_content_and_length_of_the_stored(roster: Scene) -> None:
    """contract-v1 10.3 and 13.24."""
    customer = roster.customer
    (entry,) = finish(customer, ask(customer, f"/Group/{roster.group_id}", "?_type=Patient"))["output"]
    plain = fetch(customer, entry["url"])
    assert find_extension(entry, "checksum") == "sha256:" + hashlib.sha256(plain.content).hexdigest()
    length = find_extension(entry, "file_length")
    assert length != len(plain.content)
    head = fetch(customer, entry["url"], "HEAD")
    assert (head.status_code, int(head.headers["Content-Length"]), head.content) == (200, length, b"")


def test_a_file_comes_as_it_is_stored_to_who_takes_gzip(customer: Customer, url: str) -> None:
    """contract-v1 10.3."""
    zipped = fetch(customer, url, Accept_Encoding="gzip")
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert zipped.content == fetch(customer, url).content
    assert int(zipped.headers["Content-Length"]) == int(fetch(customer, url, "HEAD").headers["Content-Length"])
    assert len(gzip.compress(zipped.content)) > 0


def test_what_is_known_is_not_sent_again(customer: Customer, url: str) -> None:
    """contract-v1 10.3."""
    first = fetch(customer, url)
    checksum, at = first.headers["ETag"], int(first.headers["Last-Modified"])
    assert fetch(customer, url, If_None_Match=checksum).status_code == 304
    assert fetch(customer, url, If_None_Match="0" * 64).status_code == 200
    assert fetch(customer, url, If_Modified_Since=str(at)).status_code == 304
    assert fetch(customer, url, If_Modified_Since=str(at - 1)).status_code == 200


def test_the_end_of_a_range_is_exclusive(customer: Customer, url: str) -> None:
    """contract-v1 10.3: and the last number is the length of the slice."""
    whole = fetch(customer, url).content
    answer = fetch(customer, url, Range="bytes=10-1034", Accept_Encoding="gzip")
    assert (answer.status_code, answer.content) == (206, whole[10:1034])
    assert answer.headers["Content-Range"] == "bytes 10-1034/1024"
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("span", ["bytes=5-", "bytes=5-1000000"])
def test_a_range_past_the_end_breaks_off(customer: Customer, url: str, span: str) -> None:
    """contract-v1 10.3: the length promised is that of the range; without an end, a mebibyte."""
    with pytest.raises(requests.RequestException, match="IncompleteRead"):
        fetch(customer, url, Range=span)


@pytest.mark.parametrize(
    ("span", "status", "text"),
    [
        ("bytes=-500", 400, "bytes=-500 is not a valid range request"),
        ("bytes=0-1,5-9", 400, "bytes=0-1,5-9 is not a valid range request"),
        ("lines=0-10", 416, "Only `bytes` are acceptable as ranges"),
        ("bytes=10-5", 416, "Range end cannot be before begin"),
        ("bytes=999999999-", 500, "There was an error processing your request. It has been logged (ID "),
    ],
)
def test_ranges_that_cannot_be(customer: Customer, url: str, span: str, status: int, text: str) -> None:
    """contract-v1 10.3."""
    answer = fetch(customer, url, Range=span)
    assert (answer.status_code, answer.json()["code"]) == (status, status)
    assert answer.json()["message"].startswith(text)


def test_unknown_and_malformed_names(customer: Customer) -> None:
    """contract-v1 10.3."""
    answer = fetch(customer, f"{uuid.uuid4()}-0.patient.ndjson")
    assert (answer.status_code, answer.json()) == (404, {"code": 404, "message": "Cannot find file"})
    assert fetch(customer, "patient.ndjson").status_code == 500
    assert fetch(customer, f"{uuid.uuid4()}-0.patient").status_code == 404


def test_a_file_of_another_organisation_cannot_be_found(stranger: Customer, url: str) -> None:
    """contract-v1 10.3."""
    answer = fetch(stranger, url)
    assert (answer.status_code, answer.json()["message"]) == (404, "Cannot find file")


def test_files_negotiate_ndjson(customer: Customer, url: str) -> None:
    """contract-v1 1.3."""
    assert fetch(customer, url, Accept="application/json").status_code == 406
    assert fetch(customer, url, Accept="*/*").status_code == 200
