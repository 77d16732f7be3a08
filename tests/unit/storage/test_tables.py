"""Every column says how confidential it is, and what is confidential is sealed, keyed or hashed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import LargeBinary, Table, make_url

from service.storage.tables import metadata
from service.storage.tables.types import UtcDatetime

CLASSES = {"public", "internal", "phi", "secret"}
NO_TENANT = {"person", "web_session", "api_token", "organization"}
TABLES = sorted(metadata.tables.values(), key=lambda table: table.name)
PATIENT_WORDS = ("mbi", "given", "family", "birth", "gender")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_column_has_a_class(table: Table) -> None:
    assert {column.name: column.info.get("class") in CLASSES for column in table.c} == {c.name: True for c in table.c}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_what_is_confidential_is_bytes_or_a_hash(table: Table) -> None:
    open_columns = [
        column.name
        for column in table.c
        if column.info["class"] in {"phi", "secret"}
        and not isinstance(column.type, LargeBinary)
        and not column.name.endswith("_hash")
    ]
    assert open_columns == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_column_named_after_a_patient_value_is_classed_so(table: Table) -> None:
    named = [column for column in table.c if any(word in column.name for word in PATIENT_WORDS)]
    assert all(column.info["class"] == "phi" or table.name == "practitioner" for column in named)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_key_of_a_table_begins_with_the_organization(table: Table) -> None:
    if table.name not in NO_TENANT:
        assert next(iter(table.primary_key.columns)).name == "organization_id"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_reference_between_tables_of_organizations_carries_the_organization(table: Table) -> None:
    for constraint in table.foreign_key_constraints:
        if constraint.referred_table.name not in {"organization", "person"}:
            assert "organization_id" in constraint.column_keys


def test_a_time_without_zone_is_refused_by_both_dialects() -> None:
    for url in ("sqlite://", "postgresql+psycopg://"):
        dialect = make_url(url).get_dialect()()
        with pytest.raises(ValueError, match="without time zone"):
            UtcDatetime().process_bind_param(datetime(2026, 1, 1), dialect)  # noqa: DTZ001
        aware = datetime(2026, 1, 1, tzinfo=UTC)
        assert UtcDatetime().process_result_value(UtcDatetime().process_bind_param(aware, dialect), dialect) == aware
