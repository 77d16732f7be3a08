"""Panels: one sealed, versioned body per practitioner, side and source; a change is a new version."""

from __future__ import annotations

from service.storage.panels.claims import ClaimPanel, load_claims, load_claims_of_versions, save_claims, save_folded
from service.storage.panels.heads import (
    PanelHead,
    StaleVersion,
    find_panel_heads,
    prune_panels,
)
from service.storage.panels.observed import ObservedPanel, load_observed, save_observed

__all__ = [
    "ClaimPanel",
    "ObservedPanel",
    "PanelHead",
    "StaleVersion",
    "find_panel_heads",
    "load_claims",
    "load_claims_of_versions",
    "load_observed",
    "prune_panels",
    "save_claims",
    "save_folded",
    "save_observed",
]
