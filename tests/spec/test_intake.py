"""Whether a delivered file counts, waits for a person, or is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from service.domain.guards import Level
from service.domain.intake import HELD_FILE_ERRORS, FileFacts, History, Judgement, Verdict, judge_delivery
from tests.spec.tables import NOW, Row, read_span, read_table

GOOD = FileFacts(
    file_error=None,
    data_rows=1000,
    present=1000,
    removed=0,
    errors=0,
    received_at=NOW,
    as_of_at=NOW,
    is_snapshot=True,
)
USUAL = History((1000, 1000, 1000, 1000, 1000), NOW - timedelta(days=1))


def test_a_file_without_any_doubt_is_accepted() -> None:
    assert judge_delivery(GOOD, USUAL) == Judgement(Verdict.ACCEPTED)
    assert judge_delivery(GOOD, History()) == Judgement(Verdict.ACCEPTED)


def test_what_a_person_has_refused_waits_for_a_person_whatever_else_is_so() -> None:
    judgement = judge_delivery(replace(GOOD, refused_before=True), USUAL)
    assert (judgement.verdict, judgement.code, judgement.level) == (Verdict.HELD, "refused_before", Level.HOLD)


FILE_ERRORS = read_table("""
    file error                | verdict
    truncated                 | hold truncated
    count_mismatch            | hold count_mismatch
    stale_input               | hold stale_input
    header_changed            | hold header_changed
    encoding_undecodable      | rejected encoding_undecodable
    header_unrecognised       | rejected header_unrecognised
    ambiguous_columns         | rejected ambiguous_columns
    ambiguous_sheets          | rejected ambiguous_sheets
    date_order_conflict       | rejected date_order_conflict
    unsupported_format_x12    | rejected unsupported_format_x12
    too_large                 | rejected too_large
""")


@pytest.mark.parametrize("row", FILE_ERRORS, ids=lambda row: row["file error"])
def test_an_unreadable_file_is_refused_and_an_incomplete_one_waits(row: Row) -> None:
    facts = replace(GOOD, file_error=row["file error"], data_rows=0, present=0)
    assert describe(judge_delivery(facts, USUAL)) == row["verdict"]


def test_every_file_error_that_is_held_has_its_sentence() -> None:
    named = {row["file error"] for row in FILE_ERRORS if row["verdict"].startswith("hold")}
    assert set(HELD_FILE_ERRORS) == named
    for code, sentence in HELD_FILE_ERRORS.items():
        reason = judge_delivery(replace(GOOD, file_error=code), USUAL).reason
        assert reason == f"{sentence} Nothing of it counts, so it lets nobody go."


AGES = read_table("""
    made                       | verdict
    0 days ago                 | accepted
    48 hours ago               | accepted
    48 hours and 1 second ago  | hold old_input
    7 days ago                 | hold old_input
    7 days and 1 second ago    | hard-stop old_input
    1 hour ahead               | accepted
    1 hour and 1 second ahead  | rejected future_input
    400 days ahead             | rejected future_input
""")


@pytest.mark.parametrize("row", AGES, ids=lambda row: row["made"])
def test_an_old_file_waits_and_one_dated_in_the_future_is_refused(row: Row) -> None:
    span, word = row["made"].rsplit(" ", 1)
    as_of_at = NOW - read_span(span) if word == "ago" else NOW + read_span(span)
    assert describe(judge_delivery(replace(GOOD, as_of_at=as_of_at), History())) == row["verdict"]


def test_a_file_that_does_not_say_when_it_was_made_is_taken_as_of_its_receipt() -> None:
    assert describe(judge_delivery(replace(GOOD, as_of_at=None), USUAL)) == "accepted"


def test_a_doubt_that_a_person_may_settle_does_not_let_a_file_from_the_future_wait_for_one() -> None:
    odd = replace(GOOD, file_error="header_changed", as_of_at=NOW + timedelta(days=400))
    assert describe(judge_delivery(odd, USUAL)) == "rejected future_input"


def test_a_file_older_than_the_last_accepted_one_waits_and_one_of_the_same_time_does_not() -> None:
    last = NOW - timedelta(hours=1)
    history = History((), last)
    assert describe(judge_delivery(replace(GOOD, as_of_at=last), history)) == "accepted"
    older = replace(GOOD, as_of_at=last - timedelta(seconds=1))
    assert describe(judge_delivery(older, history)) == "hold stale_input"


MIXED = read_table("""
    made             | dated before     | undated before   | verdict
    1 hour ago       | 1 hour ago       | 1 hour ago       | accepted
    1 hour ago       | 2 hours ago      | 2 hours ago      | accepted
    1 hour ago       | 2 hours ago      | 59 minutes ago   | hold stale_input
    1 hour ago       | 59 minutes ago   | 2 hours ago      | hold stale_input
    1 hour ago       | none             | 59 minutes ago   | hold stale_input
    1 hour ago       | none             | 61 minutes ago   | accepted
    it does not say  | 0 seconds ago    | 0 seconds ago    | accepted
    it does not say  | 30 minutes ahead | none             | accepted
    30 minutes ahead | none             | 0 seconds ago    | accepted
""")


@pytest.mark.parametrize("row", MIXED, ids=lambda row: " / ".join(row.values()))
def test_a_dated_file_is_compared_with_the_receipt_of_those_that_do_not_say_when_they_were_made(row: Row) -> None:
    history = History((), read_when(row["dated before"]), last_undated_at=read_when(row["undated before"]))
    assert describe(judge_delivery(replace(GOOD, as_of_at=read_when(row["made"])), history)) == row["verdict"]


def test_times_of_the_same_second_are_the_same_as_in_the_claims() -> None:
    received = NOW.replace(microsecond=999_999)
    assert describe(judge_delivery(GOOD, History((), received, last_undated_at=received))) == "accepted"


def read_when(cell: str) -> datetime | None:
    span, _, word = cell.rpartition(" ")
    times = {"ago": NOW - read_span(span), "ahead": NOW + read_span(span)} if word in ("ago", "ahead") else {}
    return times.get(word)


ROW_COUNTS = read_table("""
    usual | now  | verdict
    1000  | 1000 | accepted
    1000  | 901  | accepted
    1000  | 900  | accepted
    1000  | 899  | hold rows_down
    1000  | 700  | hold rows_down
    1000  | 699  | hard-stop rows_down
    1000  | 1249 | accepted
    1000  | 1250 | accepted
    1000  | 1251 | hold rows_up
    1000  | 2000 | hold rows_up
    1000  | 2001 | hard-stop rows_up
    1350  | 1215 | accepted
    1350  | 1214 | hold rows_down
    1350  | 944  | hard-stop rows_down
    10    | 5    | accepted
    10    | 4    | hard-stop rows_down
    10    | 15   | accepted
    10    | 16   | hold rows_up
    5     | 1    | accepted
    1     | 6    | accepted
    1     | 7    | hard-stop rows_up
""")


@pytest.mark.parametrize("row", ROW_COUNTS, ids=lambda row: f"{row['now']} after {row['usual']}")
def test_a_snapshot_much_shorter_or_longer_than_usual_waits(row: Row) -> None:
    history = History((int(row["usual"]),) * 5)
    facts = replace(GOOD, data_rows=int(row["now"]), present=int(row["now"]))
    assert describe(judge_delivery(facts, history)) == row["verdict"]


def test_usual_is_the_median_of_the_last_five_snapshots() -> None:
    facts = replace(GOOD, data_rows=850, present=850)
    assert describe(judge_delivery(facts, History((900, 900, 1000, 1000, 1000)))) == "hold rows_down"
    assert describe(judge_delivery(facts, History((900, 900, 900, 1000, 1000, 1000, 1000)))) == "accepted"
    assert describe(judge_delivery(facts, History((800, 900, 5000)))) == "accepted"


def test_the_length_of_a_delta_says_nothing() -> None:
    facts = replace(GOOD, data_rows=1, present=1, is_snapshot=False)
    assert describe(judge_delivery(facts, USUAL)) == "accepted"


REJECTED_ROWS = read_table("""
    rows | rejected | verdict
    1000 | 0        | accepted
    1000 | 9        | accepted
    1000 | 10       | accepted
    1000 | 11       | hold rejected_rows
    1000 | 50       | hold rejected_rows
    1000 | 51       | hard-stop rejected_rows
    100  | 4        | accepted
    100  | 5        | accepted
    100  | 6        | hard-stop rejected_rows
    300  | 6        | hold rejected_rows
    6    | 3        | accepted
    6    | 4        | hard-stop rejected_rows
    6    | 5        | hard-stop rejected_rows
""")


@pytest.mark.parametrize("row", REJECTED_ROWS, ids=lambda row: f"{row['rejected']} of {row['rows']}")
def test_a_file_with_more_than_a_few_unreadable_rows_waits(row: Row) -> None:
    facts = replace(GOOD, data_rows=int(row["rows"]), errors=int(row["rejected"]))
    assert describe(judge_delivery(facts, History())) == row["verdict"]


@pytest.mark.parametrize("is_snapshot", [True, False], ids=["snapshot", "delta"])
def test_a_file_without_any_valid_row_always_needs_two_people(is_snapshot: bool) -> None:
    facts = replace(GOOD, data_rows=0, present=0, is_snapshot=is_snapshot)
    assert describe(judge_delivery(facts, USUAL)) == "hard-stop zero_rows"
    assert describe(judge_delivery(facts, History())) == "hard-stop zero_rows"
    assert describe(judge_delivery(replace(facts, removed=1, is_snapshot=False), USUAL)) == "accepted"


def test_a_doubt_for_one_person_never_hides_one_for_two() -> None:
    old = NOW - timedelta(days=3)
    empty = replace(GOOD, data_rows=0, present=0, as_of_at=old)
    assert describe(judge_delivery(empty, History())) == "hard-stop zero_rows"
    broken = replace(GOOD, data_rows=850, present=700, errors=150)
    assert describe(judge_delivery(broken, USUAL)) == "hard-stop rejected_rows"
    stale = replace(GOOD, data_rows=300, present=300, as_of_at=old)
    assert describe(judge_delivery(stale, USUAL)) == "hard-stop rows_down"


def test_of_equal_doubts_the_first_is_named() -> None:
    facts = replace(GOOD, data_rows=850, present=850, as_of_at=NOW - timedelta(days=3))
    assert describe(judge_delivery(facts, History((1000,)))) == "hold old_input"


def describe(judgement: Judgement) -> str:
    assert (judgement.level is not None) is (judgement.verdict is Verdict.HELD)
    assert (judgement.reason is None) is (judgement.verdict is Verdict.ACCEPTED)
    word = {Level.HOLD: "hold", Level.HARD_STOP: "hard-stop", None: judgement.verdict.value}[judgement.level]
    return f"{word} {judgement.code}" if judgement.code else word
