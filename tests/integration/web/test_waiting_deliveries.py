"""Deliveries that an earlier process received and did not come to read: all of them are read, the oldest first."""

from __future__ import annotations

import io
import logging

import pytest
from web_stage import FEED, OURS, WELLS, Stage, write_roster

from service.domain.people import Actor
from service.storage.deliveries import Delivery, add_delivery
from service.web.deferred import digest_in_order
from service.workflows.deliveries import iter_waiting
from service.workflows.receive import Upload, receive

MANY = 502
"""More than one page."""


def add_broken(stage: Stage) -> list[str]:
    """Deliveries whose files are gone: reading each fails at once, and is logged."""
    found = [
        Delivery(
            feed_id=FEED,
            sha256=f"{n:064x}",
            size=1,
            content_type="",
            received_at=stage.runtime.now(),
            received_by="feeder",
            body_path=f"gone/{n}.sealed",
        )
        for n in range(MANY)
    ]
    with stage.runtime.database.begin() as connection:
        for delivery in found:
            add_delivery(connection, OURS, delivery)
    return [delivery.id for delivery in found]


def test_all_of_them_are_tried_the_oldest_first(begun: Stage, caplog: pytest.LogCaptureFixture) -> None:
    begun.settle()  # the application of the stage looks for waiting files at its own start
    waiting = add_broken(begun)
    with caplog.at_level(logging.ERROR):
        digest_in_order(begun.runtime, OURS)
    assert [record.args[0] for record in caplog.records if isinstance(record.args, tuple) and record.args] == waiting


def test_what_comes_in_while_others_are_listed_is_listed_after_them(begun: Stage) -> None:
    def send(n: int) -> str:
        rows = io.BytesIO(write_roster({WELLS: range(n)}))
        return receive(begun.runtime, OURS, FEED, rows, Upload(), Actor.operator()).delivery.id

    first, second = send(11), send(12)
    listed = iter_waiting(begun.runtime, OURS)
    assert [next(listed), next(listed)] == [first, second]
    third = send(13)
    assert list(listed) == [third]
