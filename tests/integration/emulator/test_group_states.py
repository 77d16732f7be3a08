"""The state table of contract-v1 9.4, row by row and column by column; days count from the Group's creation.

row             at day   it is
none            30       never attributed
active          30       active, end in the future
ended           90.0..   active, end passed, job not yet run
removed         30       inactive since day 10
expired         100      inactive since the job after day 90
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from emulator_customer import Scene, build_group, read_text

pytestmark = pytest.mark.control

START = datetime(2026, 3, 1, 12, 10, 0, 654321, tzinfo=UTC)
DAY = timedelta(days=1)
NOW_AT = {
    "none": 30 * DAY,
    "active": 30 * DAY,
    "ended": 90 * DAY + timedelta(minutes=5),
    "removed": 30 * DAY,
    "expired": 100 * DAY,
}
ROWS = tuple(NOW_AT)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def build_row(scene: Scene, row: str) -> tuple[str, datetime]:
    """A Group whose first patient stands in the given row; answers the patient and now."""
    emulator, patient = scene.customer.emulator, scene.patients[0]
    emulator.set_clock(START)
    scene.customer.log_in()
    members = [] if row == "none" else [patient]
    scene.group_id = scene.customer.create_group(scene.practitioner, members)["id"]
    if row == "removed":
        emulator.set_clock(START + 10 * DAY)
        scene.customer.log_in()
        assert scene.remove([patient]).status_code == 200
    emulator.set_clock(START + NOW_AT[row])
    scene.customer.log_in()
    return patient, START + NOW_AT[row]


def read_state(scene: Scene, patient: str) -> tuple[str, str, bool] | None:
    member = scene.read_members().get(patient)
    return (member["period"]["start"], member["period"]["end"], member["inactive"]) if member else None


def end_before(row: str) -> datetime:
    return START + (10 if row == "removed" else 90) * DAY


@pytest.mark.parametrize("row", ROWS)
def test_the_row_before(scene: Scene, row: str) -> None:
    """contract-v1 9.4, first column, and 9.6: an ended row stays active until the full hour."""
    patient, _ = build_row(scene, row)
    expected = (stamp(START), stamp(end_before(row)), row in ("removed", "expired"))
    assert read_state(scene, patient) == (None if row == "none" else expected)


@pytest.mark.parametrize("row", ROWS)
def test_add(scene: Scene, row: str) -> None:
    """contract-v1 9.4, column $add: active rows keep begin, all end in 90 days."""
    patient, now = build_row(scene, row)
    answer = scene.add([patient])
    assert answer.status_code == 200
    begin = START if row in ("active", "ended") else now
    assert read_state(scene, patient) == (stamp(begin), stamp(now + 90 * DAY), False)


@pytest.mark.parametrize("row", ROWS)
def test_remove(scene: Scene, row: str) -> None:
    """contract-v1 9.4, column $remove: end moves to now, also on rows already inactive."""
    patient, now = build_row(scene, row)
    answer = scene.remove([patient])
    if row == "none":
        assert (answer.status_code, read_text(answer)) == (400, "Cannot find attribution relationship.")
        assert read_state(scene, patient) is None
    else:
        assert answer.status_code == 200
        assert read_state(scene, patient) == (stamp(START), stamp(now), True)


@pytest.mark.parametrize("row", ROWS)
def test_put_with_it(scene: Scene, row: str) -> None:
    """contract-v1 9.4, column PUT with it: always a new row, active, whatever the body's flags say."""
    patient, now = build_row(scene, row)
    body = build_group(scene.npi, [patient, patient])
    body["member"][0] |= {"inactive": True, "period": {"start": "1990-01-01", "end": "1990-01-02"}}
    answer = scene.customer.send("PUT", f"/Group/{scene.group_id}", body, provenance=scene.provenance)
    assert (answer.status_code, len(answer.json()["member"])) == (200, 1)
    assert read_state(scene, patient) == (stamp(now), stamp(now + 90 * DAY), False)


@pytest.mark.parametrize("row", ROWS)
def test_put_without_it(scene: Scene, row: str) -> None:
    """contract-v1 9.4, column PUT without it: deleted; an empty body empties the Group."""
    patient, _ = build_row(scene, row)
    answer = scene.replace([])
    assert (answer.status_code, "member" in answer.json()) == (200, False)
    assert read_state(scene, patient) is None


@pytest.mark.parametrize("row", ROWS)
def test_the_expiry_job(scene: Scene, row: str) -> None:
    """contract-v1 9.4, last column, and 9.6: flags what has ended, moves no end."""
    patient, _ = build_row(scene, row)
    scene.customer.emulator.state.run_expiry()
    expected = (stamp(START), stamp(end_before(row)), row != "active")
    assert read_state(scene, patient) == (None if row == "none" else expected)


@pytest.mark.parametrize("row", ["active", "ended", "removed", "expired"])
def test_six_months_after_its_end_a_row_is_gone(scene: Scene, row: str) -> None:
    """contract-v1 9.6 and 14.7: calendar months; afterwards $remove is a 400."""
    patient, _ = build_row(scene, row)
    emulator = scene.customer.emulator
    gone_at = {"removed": datetime(2026, 9, 11, 13, tzinfo=UTC)}.get(row, datetime(2026, 11, 30, 13, tzinfo=UTC))
    emulator.set_clock(gone_at - timedelta(seconds=1))
    assert read_state(scene, patient) == (stamp(START), stamp(end_before(row)), True)
    emulator.set_clock(gone_at)
    assert read_state(scene, patient) is None
    assert read_text(scene.remove([patient])) == "Cannot find attribution relationship."
    assert scene.add([patient]).status_code == 200


def test_remove_is_all_or_nothing(roster: Scene) -> None:
    """contract-v1 9.4 $remove."""
    before = roster.read_members()
    answer = roster.remove([roster.patients[0], roster.patients[3]])
    assert (answer.status_code, read_text(answer)) == (400, "Cannot find attribution relationship.")
    assert roster.read_members() == before
    assert not roster.customer.emulator.log()[-3]["effect"]


def test_add_with_an_unknown_patient_adds_nobody(roster: Scene) -> None:
    """contract-v1 9.4 $add step 3."""
    answer = roster.add([roster.patients[2], "00000000-0000-4000-8000-000000000000"])
    assert read_text(answer) == "All patients in group must exist. Cannot find 1 patient(s)."
    assert set(roster.read_members()) == set(roster.patients[:2])


def test_add_answers_the_whole_group_and_ignores_flags(roster: Scene) -> None:
    """contract-v1 9.2 and 9.4 $add."""
    body = build_group(roster.npi, [roster.patients[2]])
    body["member"][0]["inactive"] = True
    path = f"/Group/{roster.group_id}/$add"
    answer = roster.customer.send("POST", path, body, provenance=roster.provenance)
    assert {one["entity"]["reference"] for one in answer.json()["member"]} == {
        f"Patient/{one}" for one in roster.patients[:3]
    }
    assert not any(one["inactive"] for one in answer.json()["member"])


def test_remove_reads_no_characteristic(roster: Scene) -> None:
    """contract-v1 9.2."""
    body = build_group("", roster.patients[:1], characteristic=[])
    answer = roster.customer.send("POST", f"/Group/{roster.group_id}/$remove", body)
    assert (answer.status_code, len(answer.json()["member"])) == (200, 2)
