"""GET /api/v1/deliveries/{id}/findings."""

from __future__ import annotations

import json

import pytest
from web_stage import HEADINGS, REVIEWER, WELLS, Stage, check_problem, write_mbi

BAD_ROWS = 7
BAD = "\n".join(
    [
        HEADINGS,
        *(f"{write_mbi(n)},A,B,1940-01-01,F,{WELLS}" for n in range(400)),
        *(f"WRONG{n},A,B,1940-01-01,F,{WELLS}" for n in range(BAD_ROWS)),
        "",
    ]
).encode()


@pytest.fixture
def delivery(stage: Stage) -> str:
    return stage.send(BAD)


def test_findings_name_place_and_code_and_never_the_value(stage: Stage, delivery: str) -> None:
    answer = stage.browse().get(f"/api/v1/deliveries/{delivery}/findings", headers=stage.bearer("feeder"))
    assert answer.status_code == 200 and answer.json is not None
    assert sum(answer.json["counts"].values()) == BAD_ROWS == len(answer.json["items"])
    assert answer.json["items"][0]["position"] == "402"
    assert all(item["sentence"] for item in answer.json["items"])
    assert "WRONG" not in answer.text


def test_findings_come_in_pages(stage: Stage, delivery: str) -> None:
    seen, address = [], f"/api/v1/deliveries/{delivery}/findings?limit=3"
    headers = stage.bearer("feeder")
    while address:
        answer = stage.browse().get(address, headers=headers)
        assert answer.json is not None
        seen += [item["n"] for item in answer.json["items"]]
        link = answer.headers.get("Link", "<>")
        address = link[1 : link.index(">")]
    assert seen == list(range(BAD_ROWS))


@pytest.mark.parametrize("wish", [{"query": "?format=csv"}, {"accept": "text/csv"}])
def test_findings_come_as_csv_all_at_once(stage: Stage, delivery: str, wish: dict[str, str]) -> None:
    headers = stage.bearer("feeder") | ({"Accept": wish["accept"]} if "accept" in wish else {})
    answer = stage.browse().get(f"/api/v1/deliveries/{delivery}/findings{wish.get('query', '')}", headers=headers)
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="findings-1.csv"'
    lines = answer.text.split("\r\n")
    assert lines[0] == "n,position,code,severity,is_blind,sentence,protects_patient"
    assert len(lines) == BAD_ROWS + 2


@pytest.fixture
def mixed(stage: Stage) -> str:
    """One error whose patient is known, one about nobody knows whom, and one warning."""
    rows = [*(f"{write_mbi(n)},A,B,1940-01-01,F,{WELLS}" for n in range(20)), f"{write_mbi(21)},A,B,1940-01-01,F,12345"]
    return stage.send("\n".join([HEADINGS, *rows, f",A,B,1940-01-01,F,{WELLS}", rows[0], ""]).encode())


EXPECTED = [("npi_length", False, True), ("mbi_missing", True, False), ("duplicate_row", False, False)]


def test_each_finding_says_whether_its_row_protects_its_patient_or_is_blind(stage: Stage, mixed: str) -> None:
    answer = stage.browse().get(f"/api/v1/deliveries/{mixed}/findings", headers=stage.bearer("feeder")).json
    assert answer is not None
    assert [(f["code"], f["is_blind"], f["protects_patient"]) for f in answer["items"]] == EXPECTED
    page = stage.log_in(REVIEWER).get(f"/deliveries/{mixed}").text
    table = page[page.index("Its patient") :]
    assert table.index("<td>protected</td>") < table.index("<td><strong>unknown</strong></td>")


def test_the_download_tells_the_counts_first_and_the_same_findings_as_the_api(stage: Stage, mixed: str) -> None:
    kept = stage.log_in(REVIEWER).get(f"/deliveries/{mixed}/findings.json")
    asked = stage.browse().get(f"/api/v1/deliveries/{mixed}/findings", headers=stage.bearer("feeder")).json
    assert asked is not None
    told = json.loads(kept.text)
    assert list(told) == ["counts", "items"]
    assert told == {"counts": asked["counts"], "items": asked["items"]}
    assert told["counts"] == {code: 1 for code, *_ in EXPECTED}


def test_a_download_without_findings_is_whole_as_well(stage: Stage) -> None:
    right = stage.send("\n".join([*BAD.decode().split("\n")[:20], ""]).encode())
    kept = stage.log_in(REVIEWER).get(f"/deliveries/{right}/findings.json")
    assert json.loads(kept.text) == {"counts": {}, "items": []}


def test_without_a_token_there_are_no_findings(stage: Stage, delivery: str) -> None:
    check_problem(stage.browse().get(f"/api/v1/deliveries/{delivery}/findings"), 401, "not_authenticated")


@pytest.mark.parametrize("question", ["format=xlsx", "limit=many", "cursor=here"])
def test_a_question_that_is_not_understood_is_refused(stage: Stage, delivery: str, question: str) -> None:
    answer = stage.browse().get(f"/api/v1/deliveries/{delivery}/findings?{question}", headers=stage.bearer("feeder"))
    assert answer.status_code == 422


def test_findings_of_a_delivery_that_does_not_exist_are_not_found(stage: Stage) -> None:
    for question in ("", "?format=csv"):
        answer = stage.browse().get(f"/api/v1/deliveries/none/findings{question}", headers=stage.bearer("feeder"))
        check_problem(answer, 404, "not_found")
