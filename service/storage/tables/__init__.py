"""The tables of the database, by subject; every column says how confidential it is."""

from __future__ import annotations

from service.storage.tables import organizations, people, plans, proof, rosters, running
from service.storage.tables.types import metadata

__all__ = ["metadata", "organizations", "people", "plans", "proof", "rosters", "running"]
