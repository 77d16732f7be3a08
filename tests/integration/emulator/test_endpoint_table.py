"""Every row of the endpoint table answers as the table says (contract-v1 0)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest
from emulator_customer import FHIR, KeyPair, Scene, build_key_pair, read_text
from emulator_rows import JSON, ROWS, Row, Stage

UNKNOWN = str(uuid.UUID(int=1 << 76 | 1 << 63))


def select(wanted: Callable[[Row], bool]) -> pytest.MarkDecorator:
    """The rows of one kind; admin rows need the golden macaroon, which only the control surface gives."""
    rows = [
        pytest.param(row, id=str(row), marks=[pytest.mark.control] if row.auth == "A" else [])
        for row in ROWS
        if wanted(row)
    ]
    return pytest.mark.parametrize("row", rows)


@pytest.fixture(scope="session")
def spare_key() -> KeyPair:
    return build_key_pair()


@pytest.fixture
def stage(roster: Scene, spare_key: KeyPair) -> Iterator[Stage]:
    built = Stage(roster, spare_key=lambda: spare_key)
    yield built
    built.clear()


@select(lambda row: True)
def test_a_row_succeeds_as_the_table_says(stage: Stage, row: Row) -> None:
    """contract-v1 0: status, format and body of success."""
    answer = row.send(stage)
    assert answer.status_code == row.status, answer.text
    if row.kind == "F" and answer.content:
        assert answer.headers["Content-Type"] == FHIR
    made = {"/Token": "token", "/Key?label=row": "key", "/IpAddress": "address"}.get(row.path)
    if made and row.method == "POST":
        stage.made[made] = answer.json()["id"]
    assert row.check(answer, stage)


@select(lambda row: row.auth != "P")
def test_nobody_gets_in_without_credentials(stage: Stage, row: Row) -> None:
    """contract-v1 0 and 3.2: the text form, whatever the format of the row."""
    answer = row.send(stage, headers={"Authorization": None}, path=row.path.replace("{", "").replace("}", ""))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="realm"'
    assert row.method == "HEAD" or answer.text == "Credentials are required to access this resource."


@select(lambda row: row.auth == "A")
def test_an_organisations_token_is_no_admin(stage: Stage, row: Row) -> None:
    """contract-v1 3.2: the text form."""
    answer = row.send(stage, headers={"Authorization": f"Bearer {stage.roster.customer.token}"})
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (401, "text/plain")


@select(lambda row: True)
def test_another_accept_is_refused_in_the_format_of_the_row(stage: Stage, row: Row) -> None:
    """contract-v1 0 and 1.3: 415 with an outcome, or 406 in plain JSON."""
    answer = row.send(stage, headers={"Accept": "image/png"})
    if row.kind == "F":
        assert (answer.status_code, read_text(answer)) == (
            415,
            "`Accept:` header must specify valid FHIR content type",
        )
    else:
        assert answer.status_code == 406
        assert row.method == "HEAD" or answer.json() == {"code": 406, "message": "HTTP 406 Not Acceptable"}


@select(lambda row: row.kind == "F" and row.body is not None)
def test_a_form_is_refused_where_fhir_is_wanted(stage: Stage, row: Row) -> None:
    """contract-v1 0 and 1.3: what curl sends by default."""
    answer = row.send(stage, headers={"Content-Type": "application/x-www-form-urlencoded"})
    text = "`Content-Type:` header must specify valid FHIR content type"
    assert (answer.status_code, read_text(answer)) == (415, text)


@select(lambda row: row.provenance)
def test_provenance_is_required_where_the_table_says(stage: Stage, row: Row) -> None:
    """contract-v1 0 and 9.1; the other rows have succeeded without it."""
    answer = row.send(stage, provenance=None)
    assert (answer.status_code, read_text(answer)) == (400, "Must have X-Provenance header")


@select(lambda row: bool(row.own))
def test_an_id_must_be_the_tokens_own(stage: Stage, row: Row) -> None:
    """contract-v1 0 and 3.1: 404, but 401 for an organisation."""
    path = row.path.replace(f"{{{row.own.lower()}}}", UNKNOWN)
    answer = row.send(stage, path=path)
    if row.own == "Organization":
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, FHIR)
    else:
        assert (answer.status_code, read_text(answer)) == (404, f"{row.own} not found")


@pytest.mark.parametrize("path", sorted({row.path.split("?")[0] for row in ROWS}))
def test_another_method_is_a_405_in_plain_json(stage: Stage, path: str) -> None:
    """contract-v1 0 and 2.1: with Allow."""
    bare = path.replace("{", "").replace("}", "")
    answer = stage.roster.customer.send("PATCH", bare, headers={"Authorization": None, "Accept": JSON})
    assert (answer.status_code, answer.json()) == (405, {"code": 405, "message": "HTTP 405 Method Not Allowed"})
    allowed = {row.method for row in ROWS if row.path.split("?")[0] == path}
    assert allowed <= {method.strip() for method in answer.headers["Allow"].split(",")}
