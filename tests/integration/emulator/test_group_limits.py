"""The limit on members: what counts, for which operation."""

from __future__ import annotations

import pytest
import requests
from emulator_customer import Scene, build_group, read_text

pytestmark = pytest.mark.control


def is_over(answer: requests.Response) -> bool:
    if answer.status_code < 300:
        return False
    assert (answer.status_code, read_text(answer)) == (400, "Roster limit reached")
    return True


def add_as(roster: Scene, *references: str) -> requests.Response:
    body = build_group(roster.npi, []) | {"member": [{"entity": {"reference": one}} for one in references]}
    return roster.customer.send("POST", f"/Group/{roster.group_id}/$add", body, provenance=roster.provenance)


def test_the_limit_is_inclusive_and_minus_one_is_none(scene: Scene) -> None:
    """contract-v1 9.5."""
    scene.customer.emulator.set_limits(patient_limit=3)
    assert is_over(scene.create(scene.patients))
    assert not is_over(scene.create(scene.patients[:3]))
    scene.customer.send("DELETE", f"/Group/{scene.customer.send('GET', '/Group').json()['entry'][0]['resource']['id']}")
    scene.customer.emulator.set_limits(patient_limit=-1)
    assert not is_over(scene.create(scene.patients))


def test_post_and_put_count_the_body_alone(roster: Scene) -> None:
    """contract-v1 9.4: distinct reference strings as written."""
    roster.customer.emulator.set_limits(patient_limit=2)
    assert not is_over(roster.replace(roster.patients[2:]))
    assert not is_over(roster.replace([roster.patients[0], roster.patients[0], roster.patients[1]]))
    assert is_over(roster.replace(roster.patients[:3]))
    body = build_group(roster.npi, roster.patients[:2])
    body["member"].append({"entity": {"reference": roster.patients[0]}})
    answer = roster.customer.send("PUT", f"/Group/{roster.group_id}", body, provenance=roster.provenance)
    assert is_over(answer)


def test_add_counts_stored_members_with_the_bodys(roster: Scene) -> None:
    """contract-v1 9.4 $add step 2: renewals cost nothing."""
    roster.customer.emulator.set_limits(patient_limit=3)
    assert not is_over(roster.add(roster.patients[:3]))
    assert not is_over(roster.add(roster.patients[:3]))
    assert is_over(roster.add(roster.patients[3:]))


def test_removed_members_still_count(roster: Scene) -> None:
    """contract-v1 9.5 and 14.3: $remove makes no room, PUT does."""
    roster.customer.emulator.set_limits(patient_limit=2)
    assert roster.remove(roster.patients[:2]).status_code == 200
    assert is_over(roster.add(roster.patients[2:3]))
    assert not is_over(roster.replace(roster.patients[2:3]))
    assert not is_over(roster.add(roster.patients[3:]))


def test_expired_members_count_until_the_purge(roster: Scene) -> None:
    """contract-v1 9.5."""
    emulator = roster.customer.emulator
    emulator.set_limits(patient_limit=2)
    emulator.advance("P91D")
    roster.customer.log_in()
    assert is_over(roster.add(roster.patients[2:3]))
    emulator.advance("P185D")
    roster.customer.log_in()
    assert not is_over(roster.add(roster.patients[2:4]))
    assert set(roster.read_members()) == set(roster.patients[2:4])


def test_another_spelling_of_a_stored_member_counts_extra(roster: Scene) -> None:
    """contract-v1 9.4 $add step 2 and 14.25."""
    roster.customer.emulator.set_limits(patient_limit=2)
    first = roster.patients[0]
    assert not is_over(add_as(roster, f"Patient/{first}"))
    assert is_over(add_as(roster, first))
    assert is_over(add_as(roster, f"Patient/{first.upper()}"))
    roster.customer.emulator.set_limits(patient_limit=3)
    assert not is_over(add_as(roster, first))
    assert len(roster.read_members()) == 2


def test_the_limit_comes_before_missing_patients(roster: Scene) -> None:
    """contract-v1 9.4."""
    roster.customer.emulator.set_limits(patient_limit=2)
    unknown = ["00000000-0000-4000-8000-00000000000" + digit for digit in "123"]
    assert is_over(roster.add(unknown))
    assert is_over(roster.replace(unknown))
