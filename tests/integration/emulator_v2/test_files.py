"""Files."""

from __future__ import annotations

from typing import Any

import pytest
from v2_customer import Customer, fault, read_issue


@pytest.fixture
def entry(customer: Customer) -> dict[str, Any]:
    """The manifest's entry of a file with coverages."""
    manifest = customer.finish_job(customer.start_job(customer.create_group([1]), "?_type=Coverage"))
    (only,) = manifest["output"]
    found: dict[str, Any] = only
    return found


def test_a_file_comes_whole_and_uncompressed(customer: Customer, entry: dict[str, Any]) -> None:
    """contract-v2 7.3: no ETag, no gzip."""
    answer = customer.fetch(entry, headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/octet-stream")
    assert answer.headers["Content-Disposition"] == "attachment"
    assert "Last-Modified" in answer.headers
    assert not {"ETag", "Content-Encoding"} & set(answer.headers)
    assert answer.headers["Content-Length"] == str(len(answer.content))
    assert len(answer.text.splitlines()) == entry["count"]


def test_a_range_of_bytes_comes_with_206(customer: Customer, entry: dict[str, Any]) -> None:
    """contract-v2 7.3."""
    whole = customer.fetch(entry).content
    for asked, expected, shown in (
        ("bytes=0-9", whole[:10], f"bytes 0-9/{len(whole)}"),
        ("bytes=10-", whole[10:], f"bytes 10-{len(whole) - 1}/{len(whole)}"),
        ("bytes=-5", whole[-5:], f"bytes {len(whole) - 5}-{len(whole) - 1}/{len(whole)}"),
    ):
        answer = customer.fetch(entry, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, expected)
        assert answer.headers["Content-Range"] == shown


def test_a_range_beyond_the_end_is_416(customer: Customer, entry: dict[str, Any]) -> None:
    """contract-v2 7.3: byte ranges as usual."""
    answer = customer.fetch(entry, headers={"Range": "bytes=999999-"})
    assert (answer.status_code, answer.headers["Content-Range"][:8]) == (416, "bytes */")


def test_a_file_that_has_not_changed_is_304(customer: Customer, entry: dict[str, Any]) -> None:
    """contract-v2 7.3: Last-Modified."""
    since = customer.fetch(entry).headers["Last-Modified"]
    assert customer.fetch(entry, headers={"If-Modified-Since": since}).status_code == 304


def test_the_extension_must_be_there(customer: Customer, entry: dict[str, Any]) -> None:
    """contract-v2 7.3: the last extension is cut off before the lookup."""
    name = entry["url"].rpartition("/")[2].removesuffix(".ndjson")
    cut = name.removesuffix(".coverage")
    assert read_issue(customer.send("GET", f"/Data/{name}")) == fault(404, f"Failed to get file {cut}")
    assert customer.send("GET", f"/Data/{name}.anything").status_code == 200


def test_a_foreign_file_is_404(customer: Customer, stranger: Customer, entry: dict[str, Any]) -> None:
    """contract-v2 7.3."""
    name = entry["url"].rpartition("/")[2].removesuffix(".ndjson")
    assert read_issue(stranger.fetch(entry)) == fault(404, f"Failed to get file {name}")


def test_other_paths_and_methods_do_not_serve_files(customer: Customer, entry: dict[str, Any]) -> None:
    """contract-v2 1: lower case is documented and wrong; HEAD is 405."""
    name = entry["url"].rpartition("/")[2]
    for path in (f"/data/{name}", f"/data/job/{name}", f"/Data/job/{name}"):
        assert customer.send("GET", path).status_code == 404
    assert customer.send("HEAD", f"/Data/{name}").status_code == 405
