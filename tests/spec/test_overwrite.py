"""Replacing a whole Group: who is attested anew, and when it is refused."""

from __future__ import annotations

import pytest

from service.domain.errors import InvalidInput
from service.domain.policy import Policy
from service.domain.reconcile import Reconciliation, build_overwrite
from tests.spec.tables import (
    NOW,
    Scene,
    build_mbi,
    build_observed,
    build_panels,
    describe_changes,
    describe_patient,
    read_table,
)


def test_an_overwrite_attests_everybody_with_fresh_evidence_anew_and_nobody_else() -> None:
    result = check_overwrite("""
        patient | roster             | at DPC                  | expected
        ann     | listed 3 days ago  | active, ends in 60 days | overwrite
        bob     | listed 3 days ago  | removed 30 days ago     | overwrite
        cay     | listed 3 days ago  | absent                  | overwrite
        dee     | listed 3 days ago  | unknown, described      | register, overwrite
        eve     | listed 3 days ago  | unknown, undescribed    | left out: demographics missing
        fay     | listed 50 days ago | active, ends in 60 days | left out: stale evidence, left out: lost by overwrite
        gus     | ended 1 day ago    | active, ends in 60 days | left out: lost by overwrite
        hal     | absent             | removed 30 days ago     | nothing
    """)
    assert describe_changes(result) == ["register 1", "overwrite 4"]


def test_the_limit_counts_only_those_listed_so_inactive_patients_no_longer_matter() -> None:
    check_overwrite(
        """
        patient | roster            | at DPC                  | expected
        ann     | listed 3 days ago | active, ends in 60 days | overwrite
        bob     | absent            | removed 30 days ago     | nothing
        cay     | absent            | removed 30 days ago     | nothing
        """,
        Scene(Policy(patient_limit=1)),
    )


REFUSED = {
    "nobody with fresh evidence would empty the Group": ("listed 50 days ago", Scene()),
    "more patients than the limit": ("listed 3 days ago", Scene(Policy(patient_limit=1))),
    "no Group to replace": ("listed 3 days ago", Scene(without_group=frozenset({"gray"}))),
    "two Groups for one practitioner": ("listed 3 days ago", Scene(doubled=frozenset({"gray"}))),
}


@pytest.mark.parametrize("why", REFUSED)
def test_an_overwrite_is_refused_for(why: str) -> None:
    roster, scene = REFUSED[why]
    with pytest.raises(InvalidInput):
        check_overwrite(
            f"""
            patient | roster   | at DPC                  | expected
            ann     | {roster} | active, ends in 60 days | overwrite
            bob     | {roster} | absent                  | overwrite
            """,
            scene,
        )


def check_overwrite(table: str, scene: Scene | None = None) -> Reconciliation:
    rows = read_table(table)
    scene = scene or Scene()
    (panel,) = build_panels(rows)
    result = build_overwrite(panel, build_observed(rows, scene), NOW, scene.policy)
    found = [(row["patient"], describe_patient(build_mbi(n), panel.npi, result)) for n, row in enumerate(rows)]
    assert found == [(row["patient"], row["expected"]) for row in rows]
    return result
