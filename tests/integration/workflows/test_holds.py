"""Deciding about what is held: one person for a hold, two for a hard stop, each once, in full view."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from threading import Barrier

import pytest
from practice import ADA, BRUNO, OPERATOR, RUTH, VERA, WILMA, Practice, build_mbi, build_person, write_roster

from service.domain.errors import Busy, InvalidInput, NotAllowed, NotFound, WrongState
from service.domain.people import Actor, Role
from service.workflows.deliveries import load_delivery
from service.workflows.holds import HoldView, decide_delivery, decide_hold, find_holds
from service.workflows.prove import find_ledger_entries


def send_shrunken(practice: Practice, n: int) -> str:
    """Send a roster with fewer rows than the forty before; answer the id of the held delivery."""
    practice.send_roster({ADA: range(40)})
    delivery = practice.deliver(write_roster({ADA: range(n)}))
    assert delivery.state == "held"
    return delivery.id


def decide(practice: Practice, hold: HoldView, verdict: str = "release", actor: Actor = VERA) -> HoldView:
    """Decide on a hold with some reason."""
    return decide_hold(practice.rt, "lakeside", hold.id, verdict, "Looked at it.", actor)


@pytest.fixture
def hold(practice: Practice) -> HoldView:
    """A hold on a delivery that one person may decide."""
    send_shrunken(practice, 34)
    return find_holds(practice.rt, "lakeside")[0]


@pytest.fixture
def hard_stop(practice: Practice) -> HoldView:
    """A hard stop on a delivery."""
    send_shrunken(practice, 10)
    return find_holds(practice.rt, "lakeside")[0]


def test_one_person_releases_a_hold_and_the_delivery_counts(practice: Practice, hold: HoldView) -> None:
    assert decide(practice, hold).state == "released"
    assert load_delivery(practice.rt, "lakeside", str(hold.delivery_id)).state == "accepted"


def test_a_hard_stop_stays_until_a_second_person_releases_it(practice: Practice, hard_stop: HoldView) -> None:
    assert decide(practice, hard_stop).state == "open"
    assert load_delivery(practice.rt, "lakeside", str(hard_stop.delivery_id)).state == "held"
    assert decide(practice, hard_stop, actor=RUTH).state == "released"
    assert load_delivery(practice.rt, "lakeside", str(hard_stop.delivery_id)).state == "accepted"


def test_the_same_person_twice_is_still_one_person(practice: Practice, hard_stop: HoldView) -> None:
    decide(practice, hard_stop)
    with pytest.raises(NotAllowed):
        decide(practice, hard_stop)
    assert find_holds(practice.rt, "lakeside")[0].state == "open"


def test_the_ledger_binds_the_reason_without_repeating_it(practice: Practice, hold: HoldView) -> None:
    decide(practice, hold)
    (entry,) = [e for e in find_ledger_entries(practice.rt, "lakeside", limit=500) if e.kind == "hold-decided"]
    assert entry.body["reason"] == sha256(b"Looked at it.").hexdigest()


def test_nobody_releases_a_file_that_they_sent_in_themselves(practice: Practice) -> None:
    sender = build_person("sam", Role.FEEDER, Role.REVIEWER)
    practice.send_roster({ADA: range(40)})
    delivery = practice.deliver(write_roster({ADA: range(34)}), actor=sender)
    (hold,) = find_holds(practice.rt, "lakeside")
    with pytest.raises(NotAllowed, match="sent in themselves"):
        decide(practice, hold, actor=sender)
    assert load_delivery(practice.rt, "lakeside", delivery.id).state == "held"
    assert decide(practice, hold).state == "released"


def test_a_release_runs_out_after_three_days(practice: Practice, hard_stop: HoldView) -> None:
    decide(practice, hard_stop)
    practice.pass_time("P3DT1M")
    assert decide(practice, hard_stop, actor=RUTH).state == "open"
    assert decide(practice, hard_stop).state == "released"


def test_one_refusal_is_enough_even_for_a_hard_stop(practice: Practice, hard_stop: HoldView) -> None:
    assert decide(practice, hard_stop, "refuse").state == "refused"
    assert load_delivery(practice.rt, "lakeside", str(hard_stop.delivery_id)).state == "rejected"


def test_what_is_decided_is_not_decided_again(practice: Practice, hold: HoldView) -> None:
    decide(practice, hold)
    with pytest.raises(WrongState):
        decide(practice, hold, "refuse", RUTH)


def test_neither_word_nor_reason_may_be_missing(practice: Practice, hold: HoldView) -> None:
    with pytest.raises(InvalidInput):
        decide(practice, hold, "force")
    with pytest.raises(InvalidInput):
        decide_hold(practice.rt, "lakeside", hold.id, "release", "  ", VERA)


def test_the_operator_decides_nothing(practice: Practice, hold: HoldView) -> None:
    with pytest.raises(NotAllowed):
        decide(practice, hold, actor=OPERATOR)


def test_a_hold_that_does_not_exist_is_not_found(practice: Practice) -> None:
    with pytest.raises(NotFound):
        decide_hold(practice.rt, "lakeside", "00000000-0000-4000-8000-000000000000", "release", "x", VERA)


def test_a_delivery_is_decided_by_its_own_name(practice: Practice) -> None:
    delivery_id = send_shrunken(practice, 34)
    decide_delivery(practice.rt, "lakeside", delivery_id, "accept", "Two retired.", RUTH)
    delivery = load_delivery(practice.rt, "lakeside", delivery_id)
    assert (delivery.state, delivery.decided_by, delivery.decision_reason) == ("accepted", RUTH.name, "Two retired.")
    with pytest.raises(WrongState):
        decide_delivery(practice.rt, "lakeside", delivery_id, "accept", "Again.", RUTH)


def test_two_people_who_decide_at_the_same_moment_do_not_wait_for_one_another(
    practice_on_postgresql: Practice,
) -> None:
    practice = practice_on_postgresql
    practice.send_roster({ADA: range(1, 21)})
    delivery = practice.deliver(write_roster({ADA: range(100, 120)}))
    (hold,) = find_holds(practice.rt, "lakeside")
    assert hold.people_needed == 2
    together = Barrier(2)

    def release_together(actor: Actor) -> None:
        together.wait(10)
        with suppress(Busy):
            decide(practice, hold, actor=actor)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(release_together, (RUTH, VERA)))
    for actor in (RUTH, VERA):
        with suppress(NotAllowed, WrongState):
            decide(practice, hold, actor=actor)
    assert load_delivery(practice.rt, "lakeside", delivery.id).state == "accepted"


def remove_many(practice: Practice, kept: int) -> None:
    """Two snapshots in a row without most of the first practitioner's patients."""
    for _ in range(2):
        delivery = practice.deliver(write_roster({ADA: range(kept), BRUNO: range(50, 90)}) + b"\r\n" * practice.sent)
        practice.sent += 1
        if delivery.state == "held":
            for person in (VERA, WILMA):
                if load_delivery(practice.rt, "lakeside", delivery.id).state == "held":
                    decide_delivery(practice.rt, "lakeside", delivery.id, "accept", "Known.", person)


@pytest.fixture
def thinned(practice: Practice) -> Practice:
    """A practice whose roster has lost 24 of 30 patients of one practitioner, which a plan will hold."""
    practice.start_with({ADA: range(30), BRUNO: range(50, 90)})
    remove_many(practice, 6)
    return practice


def test_many_removals_wait_while_nothing_else_does(thinned: Practice) -> None:
    plan = thinned.draw_some()
    (hold,) = plan.holds
    assert (hold.rule, hold.level, hold.n, plan.head.held_n) == ("removals-per-organization", "hard-stop", 24, 24)
    assert not any(plan.head.counts.values())


def test_removals_released_by_two_people_go_with_the_next_plan(thinned: Practice) -> None:
    (hold,) = thinned.draw_some().holds
    decide(thinned, hold)
    assert thinned.draw_some().head.counts["remove"] == 0
    decide(thinned, hold, actor=WILMA)
    plan = thinned.draw_some()
    assert (plan.head.counts["remove"], plan.head.held_n) == (24, 0)
    thinned.apply(thinned.sign(plan))
    assert thinned.read_active()[ADA] == {build_mbi(n) for n in range(6)}


def test_a_plan_in_which_everything_is_held_cannot_be_signed(thinned: Practice) -> None:
    with pytest.raises(WrongState):
        thinned.sign(thinned.draw_some())


def test_a_release_covers_exactly_the_changes_that_were_looked_at(thinned: Practice) -> None:
    (hold,) = thinned.draw_some().holds
    decide(thinned, hold)
    decide(thinned, hold, actor=WILMA)
    remove_many(thinned, 5)  # one more than was looked at
    assert thinned.draw_some().head.counts["remove"] == 0


def test_refused_removals_stay_held(thinned: Practice) -> None:
    (hold,) = thinned.draw_some().holds
    assert decide(thinned, hold, "refuse").state == "refused"
    plan = thinned.draw_some()
    assert (plan.head.counts["remove"], plan.head.held_n) == (0, 24)


def test_a_hold_that_no_longer_applies_is_closed_as_moot(thinned: Practice) -> None:
    (hold,) = thinned.draw_some().holds
    remove_many(thinned, 30)
    thinned.draw()
    assert next(h for h in find_holds(thinned.rt, "lakeside", None) if h.id == hold.id).state == "moot"
