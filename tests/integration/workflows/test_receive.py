"""Receiving a roster file: once for the same bytes, never half."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from practice import ADA, FRED, VERA, Practice, build_mbi, build_person, write_roster

from service.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound, UnreadableFile
from service.domain.people import Role
from service.storage import deliveries, raw_files
from service.workflows.deliveries import find_deliveries
from service.workflows.overview import show_overview
from service.workflows.prove import find_ledger_entries
from service.workflows.receive import Upload, receive

ROSTER = write_roster({ADA: range(3)})


def list_files(practice: Practice) -> list[str]:
    """Whatever lies in the folder of raw files."""
    return [p.name for p in practice.rt.settings.uploads_dir.rglob("*") if p.is_file()]


def test_a_file_is_received_and_waits_to_be_read(practice: Practice) -> None:
    receipt = practice.receive(ROSTER, actor=FRED)
    assert receipt.is_new
    assert (receipt.delivery.state, receipt.delivery.size) == ("received", len(ROSTER))
    assert (receipt.delivery.number, receipt.delivery.received_by) == (1, FRED.name)
    assert len(list_files(practice)) == 1


def test_the_receipt_is_in_the_ledger_with_the_digest(practice: Practice) -> None:
    delivery = practice.receive(ROSTER).delivery
    entry = find_ledger_entries(practice.rt, "lakeside", newest_first=True, limit=1)[0]
    assert (entry.kind, entry.body["sha256"]) == ("delivery-received", delivery.sha256)


def test_the_raw_file_is_sealed(practice: Practice) -> None:
    practice.receive(ROSTER)
    (path,) = practice.rt.settings.uploads_dir.rglob("*.sealed")
    assert b"1S00E00AA00" not in path.read_bytes()


def test_what_a_sender_writes_behind_the_media_type_is_not_kept(practice: Practice) -> None:
    named = 'Text/CSV; name="Pat Patient 1S00E00AA12.csv"; charset=UTF-8'
    delivery = practice.receive(ROSTER, content_type=named).delivery
    with practice.rt.database.read() as connection:
        kept = deliveries.load_delivery(connection, "lakeside", delivery.id)
    assert kept.content_type == "text/csv; charset=utf-8"


def test_only_a_feeder_sends(practice: Practice) -> None:
    with pytest.raises(NotAllowed):
        practice.receive(ROSTER, actor=VERA)


def test_a_feeder_of_another_organisation_may_not_send(practice: Practice) -> None:
    with pytest.raises(NotAllowed):
        practice.receive(ROSTER, actor=build_person("olaf", Role.FEEDER, organization_id="hillside"))


@pytest.mark.parametrize(
    "upload",
    [
        {"mode": "everything"},
        {"as_of_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - a time without a zone is the point
        {"sequence": ""},
        {"sequence": "a\nb"},
        {"idempotency_key": "k" * 101},
    ],
)
def test_what_cannot_be_understood_is_refused(practice: Practice, upload: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        practice.receive(ROSTER, **upload)
    assert list_files(practice) == []


def test_an_empty_file_is_refused(practice: Practice) -> None:
    with pytest.raises(UnreadableFile) as refused:
        practice.receive(b"")
    assert refused.value.code == "empty"
    assert list_files(practice) == []


class Endless:
    """A stream that never ends."""

    def read(self, size: int = -1, /) -> bytes:
        return b"x" * size


def test_a_file_that_is_too_large_is_refused_while_it_arrives(practice: Practice) -> None:
    with pytest.raises(UnreadableFile) as refused:
        receive(practice.rt, "lakeside", "ehr", Endless(), Upload(), FRED)
    assert refused.value.code == "too_large"
    assert list_files(practice) == []
    assert raw_files.LARGEST_FILE < 1 << 30


def test_bytes_that_differ_from_the_declared_digest_are_refused(practice: Practice) -> None:
    with pytest.raises(InvalidInput):
        practice.receive(ROSTER, sha256="0" * 64)
    assert list_files(practice) == []
    assert find_deliveries(practice.rt, "lakeside") == []


def test_a_feed_that_does_not_exist_is_not_found(practice: Practice) -> None:
    with pytest.raises(NotFound):
        practice.receive(ROSTER, feed="fax")


def test_the_same_bytes_again_answer_with_the_first_receipt(practice: Practice) -> None:
    first = practice.receive(ROSTER)
    again = practice.receive(ROSTER)
    assert (again.is_new, again.delivery.id) == (False, first.delivery.id)
    assert len(list_files(practice)) == 1


def test_the_same_key_with_the_same_bytes_answers_with_the_first_receipt(practice: Practice) -> None:
    first = practice.receive(ROSTER, idempotency_key="monday")
    assert practice.receive(ROSTER, idempotency_key="monday").delivery.id == first.delivery.id


@pytest.mark.parametrize("name", ["idempotency_key", "sequence"])
def test_a_key_or_sequence_that_was_used_for_other_bytes_is_a_conflict(practice: Practice, name: str) -> None:
    same: dict[str, Any] = {name: "7"}
    practice.receive(ROSTER, **same)
    with pytest.raises(Conflict):
        practice.receive(ROSTER + b"\r\n", **same)
    assert len(list_files(practice)) == 1


def test_a_conflict_is_shown_to_people_once_until_the_feed_sends_what_counts(practice: Practice) -> None:
    practice.receive(write_roster({ADA: range(3)}), sequence="7")
    for n in (4, 5):
        with pytest.raises(Conflict):
            practice.receive(write_roster({ADA: range(n)}), sequence="7")
    (incident,) = show_overview(practice.rt, "lakeside").incidents
    assert (incident.kind, incident.feed_id, incident.n) == ("feed_conflict", "ehr", 1)
    assert "sequence" in incident.cause
    practice.send_roster({ADA: range(4)}, sequence="8")
    assert show_overview(practice.rt, "lakeside").incidents == ()


def test_the_same_roster_as_of_a_later_day_is_news(practice: Practice) -> None:
    now = practice.rt.now()
    first = practice.receive(ROSTER, as_of_at=now - timedelta(days=1))
    second = practice.receive(ROSTER, as_of_at=now)
    assert second.is_new
    assert second.delivery.id != first.delivery.id


def test_a_retry_of_what_was_sent_for_an_earlier_date_is_that_delivery(practice: Practice) -> None:
    dates = [practice.rt.now() - timedelta(days=n) for n in (2, 1, 0)]
    first = [practice.receive(ROSTER, as_of_at=at).delivery.id for at in dates]
    assert len(set(first)) == 3
    assert [practice.receive(ROSTER, as_of_at=at).delivery.id for at in dates] == first


def test_a_retry_is_known_by_the_date_of_its_sender_although_the_file_says_an_older_one(practice: Practice) -> None:
    now = practice.rt.now()
    made_at = now - timedelta(hours=6)
    body = json.dumps({"as_of": made_at.isoformat(), "pairs": [{"mbi": build_mbi(1), "npi": ADA}]}).encode()
    first = practice.deliver(body, as_of_at=now)
    assert first.as_of_at == made_at
    for at in (now, made_at, None):
        assert practice.receive(body, as_of_at=at).delivery.id == first.id
    assert practice.receive(body, as_of_at=now + timedelta(minutes=1)).is_new


class Broken:
    """A stream that breaks after a mebibyte and a half."""

    def __init__(self, error: type[BaseException]) -> None:
        self.left, self.error = 3 << 19, error

    def read(self, size: int = -1, /) -> bytes:
        if not self.left:
            raise self.error
        piece = min(size, self.left)
        self.left -= piece
        return b"x" * piece


@pytest.mark.parametrize("error", [ConnectionResetError, KeyboardInterrupt])
def test_a_file_that_breaks_off_leaves_nothing(practice: Practice, error: type[BaseException]) -> None:
    with pytest.raises((Exception, KeyboardInterrupt)):
        receive(practice.rt, "lakeside", "ehr", Broken(error), Upload(), FRED)
    assert list_files(practice) == []
    assert find_deliveries(practice.rt, "lakeside") == []
