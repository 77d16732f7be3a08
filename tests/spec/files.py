"""A good file of any length, and the verdict on one in two words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from service.domain.feeds import FeedSettings
from service.domain.intake import FileFacts, History, Verdict, judge_delivery
from tests.spec.tables import NOW


def build_facts(rows: int, **more: Any) -> FileFacts:
    """A good snapshot of so many rows, one patient each, made as it arrives."""
    facts = FileFacts(
        file_error=None,
        data_rows=rows,
        present=rows,
        removed=0,
        errors=0,
        received_at=NOW,
        as_of_at=NOW,
        is_snapshot=True,
        patients=rows,
        npis=1,
    )
    facts = replace(facts, **more)
    return replace(facts, is_snapshot=facts.present > 0)


def weigh_file(facts: FileFacts, history: History | None = None, settings: FeedSettings | None = None) -> str:
    """`free`, or the level (or verdict) and the rule."""
    found = judge_delivery(facts, history or History(), settings or FeedSettings())
    if found.verdict is Verdict.ACCEPTED:
        return "free"
    return f"{found.level.value if found.level else found.verdict.value} {found.code}"
