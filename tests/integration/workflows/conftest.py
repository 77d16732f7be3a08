"""Practices in the states that the verbs start from."""

from __future__ import annotations

import pytest
from practice import ADA, BRUNO, Practice

PANELS = {ADA: range(1, 13), BRUNO: range(20, 26)}


@pytest.fixture
def loaded(practice: Practice) -> Practice:
    """A practice whose first roster is at DPC: twelve patients with one practitioner, six with another."""
    practice.start_with(PANELS)
    return practice


@pytest.fixture
def delivered(practice: Practice) -> Practice:
    """A practice whose first roster is accepted, and nothing is at DPC yet."""
    practice.name_practitioners()
    practice.send_roster(PANELS)
    return practice
