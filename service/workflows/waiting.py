"""What it costs to wait: the first attribution that lapses while a feed tells nothing new, or its file is held."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from service.domain.attribution import Attribution, is_active
from service.domain.expiry import find_cost_of_waiting
from service.domain.roster import Claim
from service.storage import organizations, panels
from service.storage.connection import Connection
from service.storage.panel_codec import read_claims
from service.storage.sealing import OrganizationKeys
from service.workflows.desired import Numbers, load_desired, load_numbers
from service.workflows.observe import load_groups
from service.workflows.policies import read_policy


def find_cost_of_silence(
    connection: Connection, keys: OrganizationKeys, organization_id: str, feed_id: str, now: datetime
) -> datetime | None:
    """Answer the first end of an attribution that this feed lists and that only newer evidence could renew.

    What another feed shows later counts for the pair too. None when nothing is lost by waiting.
    """
    policy = read_policy(organizations.load_organization(connection, organization_id))
    heads = panels.find_panel_heads(connection, organization_id, side="claims")
    npis = sorted({head.npi for head in heads if head.source == feed_id})
    numbers = load_numbers(connection, keys, organization_id) if npis else Numbers({}, {})
    pairs = (pair for npi in npis for pair in _pair_listed(connection, keys, organization_id, feed_id, npi, numbers))
    running = ((attribution, claim) for attribution, claim in pairs if is_active(attribution, now))
    return find_cost_of_waiting(running, now, policy)


def _pair_listed(
    connection: Connection, keys: OrganizationKeys, organization_id: str, feed_id: str, npi: str, numbers: Numbers
) -> Iterator[tuple[Attribution, Claim]]:
    """Yield what DPC shows of one practitioner and this feed lists, with the newest claim that it rests on."""
    listed = {
        numbers.find_present(claim.mbi)
        for panel in panels.load_claims(connection, keys, organization_id, npi, feed=feed_id)
        for claim in read_claims(panel.columns)
        if not claim.ended
    }
    groups = load_groups(connection, keys, organization_id, npi)
    for panel in load_desired(connection, keys, organization_id, npi, numbers=numbers):
        for mbi, attribution in groups[npi].by_mbi().items() if npi in groups else ():
            if mbi in listed and mbi in panel.wanted:
                yield attribution, panel.wanted[mbi]
