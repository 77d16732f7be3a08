"""Findings: what is wrong with rows of a delivery, by position and code, never by value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from service.storage.rows import find_values, write_values
from service.storage.tables.rosters import finding as findings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with one row; `n` counts within the delivery, `position` is a line, pointer or control id.

    `blind` says that nobody can tell whom the row was about.
    """

    n: int
    position: str
    code: str
    severity: str
    blind: bool = False


def add_findings(connection: Connection, organization_id: str, delivery_id: str, found: Iterable[Finding]) -> int:
    """Add the findings of a delivery in bulk and answer how many."""
    return write_values(connection, findings, found, organization_id=organization_id, delivery_id=delivery_id)


def find_findings(
    connection: Connection, organization_id: str, delivery_id: str, *, after_n: int = -1, limit: int = 500
) -> list[Finding]:
    """Answer a page of findings in file order; `after_n` is the `n` of the last one on the page before."""
    return find_values(
        connection,
        findings,
        Finding,
        findings.c.organization_id == organization_id,
        findings.c.delivery_id == delivery_id,
        findings.c.n > after_n,
        order_by=[findings.c.n],
        limit=limit,
    )


def count_findings_by_code(connection: Connection, organization_id: str, delivery_id: str) -> dict[str, int]:
    """Answer how often each code occurs in a delivery."""
    statement = (
        select(findings.c.code, func.count())
        .where(findings.c.organization_id == organization_id, findings.c.delivery_id == delivery_id)
        .group_by(findings.c.code)
        .order_by(findings.c.code)
    )
    return {row[0]: row[1] for row in connection.execute(statement)}
