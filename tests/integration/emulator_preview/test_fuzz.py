"""Thousands of random requests, in process: never a defect."""

from __future__ import annotations

import json
import random
from typing import Any

from preview_customer import NPI, Customer, build_group, build_mbi, build_patient, build_practitioner

REQUESTS = 2000
STATUSES = {200, 201, 202, 400, 401, 404, 405, 406, 415, 422}
JUNK: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, "", "x", "\u0000", "\u20ac", "<b>", [], {}, [None], ["x"], {"x": 1}, [{}], [[]],
    {"system": 7}, {"reference": 7}, "Patient/", "9" * 300,
]  # fmt: skip
METHODS = ["GET"] * 5 + ["POST"] * 6 + ["PUT"] * 2 + ["DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "FOO"]


def spoil(dice: random.Random, tree: Any) -> Any:
    """The value with one part replaced or removed somewhere."""
    if isinstance(tree, dict) and tree and dice.random() < 0.8:
        key = dice.choice(list(tree))
        if dice.random() < 0.15:
            return {name: value for name, value in tree.items() if name != key}
        return {**tree, key: spoil(dice, tree[key])}
    if isinstance(tree, list) and tree and dice.random() < 0.8:
        index = dice.randrange(len(tree))
        return [*tree[:index], spoil(dice, tree[index]), *tree[index + 1 :]]
    return dice.choice(JUNK)


def build_body(dice: random.Random, patients: list[str]) -> bytes:
    some = dice.sample(patients, dice.randrange(3))
    tree: Any = dice.choice(
        [build_patient(dice.randrange(30)), build_practitioner(), build_group(some, tuple(patients[:1]))]
    )
    for _ in range(dice.randrange(3)):
        tree = spoil(dice, tree)
    raw = json.dumps(tree).encode()
    return dice.choice([raw, raw, raw, raw, raw[: dice.randrange(len(raw) + 1)], dice.randbytes(40), b""])


def list_paths(customer: Customer, patients: list[str]) -> list[str]:
    group_id = customer.send("POST", "/Group", build_group(patients)).json()["id"]
    export = customer.send("GET", f"/Group/{group_id}/$export", headers={"Prefer": "respond-async"})
    job = export.headers["Content-Location"].removeprefix(customer.emulator.preview_url)
    return [
        "", "/", "/metadata", "/Patient", "/Practitioner", "/Group", f"/Group/{group_id}/$export", "/Group/x/$export",
        f"/Patient/{patients[0]}", f"/Practitioner/{patients[0]}", "/Patient/%00", "/Patient/%FF", job, "/jobs/x",
        f"/data{job.removeprefix('/jobs')}/x.ndjson", "/data/x/y.ndjson", f"/Organization/{customer.organization_id}",
        f"/Group?characteristic=attributed-to&characteristic-code={NPI}", "/Group?characteristic=%FF",
        f"/Patient?identifier={build_mbi(1)}", "/Patient?identifier=%00|",
        f"/Group/{group_id}/$export?_type=x,,Patient",
    ]  # fmt: skip


def test_random_requests_never_meet_a_defect(customer: Customer, patients: list[str]) -> None:
    """Preview: only statuses that say what is wrong, never a 500."""
    dice = random.Random(20190805)
    paths = list_paths(customer, patients)
    client = customer.emulator.app.test_client()
    seen: set[int] = set()
    for _ in range(REQUESTS):
        headers = {"Authorization": f"Bearer {customer.token}"} if dice.random() < 0.95 else {}
        for name, values in (("Prefer", ["respond-async", "x"]), ("Accept", ["*/*", "text/html", "\xe9"])):
            if dice.random() < 0.5:
                headers[name] = dice.choice(values)
        method, path, body = dice.choice(METHODS), dice.choice(paths), build_body(dice, patients)
        kind = next((one for one in (b"Group", b"Patient", b"Practitioner") if b'"%b"' % one in body), None)
        if kind and dice.random() < 0.5:
            method, path = "POST", f"/{kind.decode()}"
        answer = client.open("/fhir/v1" + path, method=method, headers=headers, data=body)
        assert answer.status_code in STATUSES, (method, path, answer.get_data())
        seen.add(answer.status_code)
    assert customer.emulator.state.defects == []
    assert seen >= {200, 201, 202, 400, 401, 404, 405, 415, 422}
