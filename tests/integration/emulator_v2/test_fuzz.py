"""Thousands of random requests, in process: never a defect, and every answer has a shape the contract names."""

from __future__ import annotations

import json
import random
from typing import Any

from v2_customer import MBI_SYSTEM, NPI, Customer, build_group, build_mbi, build_member

REQUESTS = 2500
STATUSES = {200, 202, 206, 304, 400, 401, 403, 404, 405, 410, 416, 422, 500}
JUNK: list[Any] = [
    None, True, 0, -1, 1.5, 10**30, "", "x", "Patient", "\u0000", "\u20ac", "<b>", "&amp;", "\r", [], {}, [None], ["x"],
    {"x": 1}, [{}], [[]], {"system": 7}, {"value": None}, "9" * 300,
]  # fmt: skip
METHODS = ["GET"] * 6 + ["POST"] * 6 + ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "FOO"]


def spoil(dice: random.Random, tree: Any) -> Any:
    """The value with one part replaced, removed or doubled somewhere."""
    if isinstance(tree, dict) and tree and dice.random() < 0.8:
        key = dice.choice(list(tree))
        if dice.random() < 0.15:
            return {name: value for name, value in tree.items() if name != key}
        return {**tree, key: spoil(dice, tree[key])}
    if isinstance(tree, list) and tree and dice.random() < 0.8:
        index = dice.randrange(len(tree))
        return [*tree[:index], spoil(dice, tree[index]), *tree[index : index + dice.randrange(2)], *tree[index + 1 :]]
    return dice.choice(JUNK)


class Monkey:
    """Random requests around what really exists."""

    def __init__(self, customer: Customer, dice: random.Random) -> None:
        self.customer, self.dice = customer, dice
        group_id = customer.create_group([1, 2])
        job_id = customer.start_job(group_id)
        files = [entry["url"].rpartition("/")[2] for entry in customer.finish_job(job_id)["output"]]
        running = customer.start_job(group_id)
        self.paths = [
            "", "/", "/metadata", "/_health", "/swagger/x", "/Token/auth", "/Token/validate", "/Group", "/Group/",
            "/Group//$export", f"/Group/{group_id}/$export", f"/Group/{group_id}", "/Group/x/$export",
            f"/Jobs/{job_id}",
            f"/Jobs/{running}", "/Jobs/x", "/Jobs/", f"/Organization/{customer.organization_id}", "/Organization/%00",
            "/Patient/$everything", "/Patient/x", "/Data/x", "/Data/.", "/Data/..ndjson", "/Data/%E2%82%AC.ndjson",
            "/%FF",
            *(f"/Data/{name}" for name in files),
        ]  # fmt: skip
        self.assertion = customer.sign(customer.build_claims())

    def build_provenance(self) -> str:
        agent = self.customer.attest()["agent"][0]
        agent["onBehalfOf"] = {"type": "Practitioner", "identifier": {"system": "http://hl7.org/fhir/sid/us-npi"}}
        agent["onBehalfOf"]["identifier"]["value"] = NPI
        tree = self.customer.attest(agent=[agent])
        text = json.dumps(spoil(self.dice, tree) if self.dice.random() < 0.4 else tree)
        return text[: self.dice.randrange(len(text))] if self.dice.random() < 0.05 else text

    def build_headers(self) -> dict[str, str]:
        dice = self.dice
        headers = {"Authorization": f"Bearer {self.customer.token}"}
        if dice.random() < 0.1:
            broken = ["", "Bearer", "bearer x", "Bearer x.y.z", "Bearer Bearer ", "Bearer \xe9", self.customer.token]
            headers["Authorization"] = dice.choice(broken)
        if dice.random() < 0.8:
            headers["X-Provenance"] = self.build_provenance()
        for name, values in (
            ("Prefer", ["respond-async", "respond-async", "x", ""]),
            ("identifier-system", [MBI_SYSTEM, MBI_SYSTEM, "x"]),
            ("identifier-value", [build_mbi(1), "x", "", "\xe9"]),
            ("Range", ["bytes=0-5", "bytes=-3", "bytes=9-1", "bytes=0-1,4-5", "bytes=99999999-", "lines=1-2", "\xe9"]),
            ("If-Modified-Since", ["x", "Thu, 01 Jan 2099 00:00:00 GMT"]),
            ("X-Request-Id", ["mine", "\xe9"]),
            ("Content-Type", ["application/x-www-form-urlencoded", "multipart/form-data", "x/y; charset=nope"]),
        ):
            if dice.random() < 0.5:
                headers[name] = dice.choice(values)
        return headers

    def build_query(self) -> str:
        dice = self.dice
        values = [
            "",
            "x",
            "Patient",
            "Patient,Coverage",
            "ndjson",
            "2020-01-01T00:00:00%2B00:00",
            "%00",
            "%FF",
            "+",
            "é",
        ]
        values += ["2020-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00%2B00:00"]
        names = ["_type", "_since", "_outputFormat", "x"]
        return "&".join(f"{dice.choice(names)}={dice.choice(values)}" for _ in range(dice.randrange(4)))

    def build_body(self, path: str) -> bytes:
        dice = self.dice
        if "Token" in path and dice.random() < 0.8:
            fields = {
                "grant_type": "client_credentials",
                "scope": "system/*.*",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": self.spoil_assertion(),
            }
            return "&".join(f"{name}={value}" for name, value in fields.items() if dice.random() < 0.95).encode()
        group: Any = build_group([], member=[build_member(build_mbi(number)) for number in range(dice.randrange(4))])
        for _ in range(dice.randrange(3)):
            group = spoil(dice, group)
        raw = json.dumps(group).encode()
        return dice.choice([raw, raw, raw, raw, raw[: dice.randrange(len(raw) + 1)], dice.randbytes(40), b""])

    def spoil_assertion(self) -> str:
        dice = self.dice
        if dice.random() < 0.5:
            claims = spoil(dice, self.customer.build_claims())
            if isinstance(claims, dict):
                return self.customer.sign(claims)
        position = dice.randrange(len(self.assertion))
        return self.assertion[:position] + dice.choice(["", ".", "A", "%C3%A9"]) + self.assertion[position + 1 :]

    def send(self, client: Any) -> tuple[int, bytes, str] | None:
        """Status, body and media type; None for a dropped connection."""
        path, method = self.dice.choice(self.paths), self.dice.choice(METHODS)
        if self.dice.random() < 0.4:
            path, method = self.dice.choice(["/Group", "/Token/auth", "/Patient/$everything"]), "POST"
            method = "GET" if path.startswith("/Patient") else method
        try:
            answer = client.open(
                f"/api/v2{path}",
                method=method,
                query_string=self.build_query(),
                headers=self.build_headers(),
                data=self.build_body(path),
            )
        except ConnectionResetError:
            return None
        return answer.status_code, answer.get_data(), answer.headers.get("Content-Type", "")


def test_random_requests_never_meet_a_defect(customer: Customer) -> None:
    """contract-v2 1 and 2: only the statuses named, refusals are outcomes, plain text or empty."""
    dice = random.Random(20260805)
    monkey = Monkey(customer, dice)
    client = customer.emulator.app.test_client()
    seen: dict[int | None, int] = {}
    for _ in range(REQUESTS):
        answer = monkey.send(client)
        status = answer[0] if answer else None
        seen[status] = seen.get(status, 0) + 1
        if answer is None:
            continue
        assert answer[0] in STATUSES, answer
        check_refusal(*answer)
    assert customer.emulator.state.defects == []
    assert {None, 200, 202, 400, 403, 404, 405, 500} <= set(seen), seen


def check_refusal(status: int, body: bytes, media_type: str) -> None:
    """An outcome, two back to back, plain words, or nothing at all."""
    if status in (405, 304) or not body:
        return
    if status == 404 and media_type.startswith("text/plain"):
        assert body.strip() == b"404 page not found"
    elif status >= 400 and status != 416:
        outcome, _ = json.JSONDecoder().raw_decode(body.decode())
        assert outcome["resourceType"] == "OperationOutcome"
        assert outcome["issue"][0]["code"] in ("Business Rule Violation", "Not Found", "Exception")
