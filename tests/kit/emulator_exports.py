"""Asking for exports, waiting for them, and reading what they left."""

from __future__ import annotations

import json
from typing import Any

import requests
from emulator_customer import Customer

ASYNC: dict[str, str | None] = {"Prefer": "respond-async"}


def ask(customer: Customer, path: str, query: str = "", **options: Any) -> requests.Response:
    """One $export request, asynchronous unless the headers say otherwise."""
    headers = {**ASYNC, **options.pop("headers", {})}
    return customer.send("GET", f"{path}/$export{query}", headers=headers, **options)


def poll(customer: Customer, location: str) -> requests.Response:
    """One look at a job by its address or its id."""
    job_id = location.rpartition("/")[2]
    return customer.send("GET", f"/Jobs/{job_id}", headers={"Accept": "application/json"})


def finish(customer: Customer, asked: requests.Response) -> dict[str, Any]:
    """The body of the finished job."""
    assert asked.status_code == 202, asked.text
    for _ in range(200):
        answer = poll(customer, asked.headers["Content-Location"])
        if answer.status_code != 202:
            break
    assert answer.status_code == 200, answer.text
    completed: dict[str, Any] = answer.json()
    return completed


def fetch(customer: Customer, url: str, method: str = "GET", **headers: str | None) -> requests.Response:
    """One file by its URL; header names are written with underscores."""
    sent: dict[str, str | None] = {"Accept": "application/ndjson", "Accept-Encoding": None}
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    return customer.send(method, "/Data/" + url.rpartition("/")[2], headers=sent)


def read_lines(answer: requests.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def find_extension(entry: dict[str, Any], name: str) -> Any:
    """The value of one of DPC's extensions."""
    for extension in entry["extension"]:
        if extension["url"] == f"https://dpc.cms.gov/{name}":
            return next(value for key, value in extension.items() if key.startswith("value"))
    raise AssertionError(name)


def read_all(customer: Customer, completed: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """All resources of a finished job by type, outcomes included."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in [*completed["output"], *completed["error"]]:
        lines = read_lines(fetch(customer, entry["url"]))
        assert len(lines) == entry["count"]
        found.setdefault(entry["type"], []).extend(lines)
    return found
