"""An installation with a database of its own and a clock that stands where a test puts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from service.domain.people import Actor
from service.runtime import Runtime, build_runtime
from service.settings import load_settings
from service.workflows import onboard
from service.workflows.set_up import migrate, new_settings

START = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that moves only when told."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **parts: float) -> None:
        self.at += timedelta(**parts)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Settings of an empty installation."""
    return new_settings(tmp_path / "data")


@pytest.fixture
def clock() -> Clock:
    """The clock of `rt`."""
    return Clock()


@pytest.fixture
def rt(environ: dict[str, str], clock: Clock) -> Iterator[Runtime]:
    """A migrated installation with one organisation in New York, on `clock`."""
    settings = load_settings(environ)
    migrate(settings)
    with build_runtime(settings) as built:
        runtime = replace(built, clock=clock)
        onboard.add_organization(
            runtime, organization_id="lakeside", name="Lakeside", npi="3999999998", actor=Actor.operator()
        )
        yield runtime
