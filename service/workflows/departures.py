"""Whom a delivery would let go, person by person: who is shown, and by what it is known that they are the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from service.domain.canonical import Json, digest_json
from service.domain.identifiers import unpack_mbi
from service.storage import deliveries, feeds, panels
from service.storage.connection import Connection
from service.storage.deliveries import Departures
from service.workflows.fold import FoldedPanel
from service.workflows.reading import Reading, digest_settings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_FOLDED = 20


def list_departures(opened: Reading, folded: Iterable[FoldedPanel]) -> Departures:
    """Answer whom a delivery lets go if all of it counts, and whom else it leaves out, by practitioner and MBI.

    A file that counts late leaves out nobody of whom newer evidence tells.
    """
    npis, codes, at_once, elsewhere = [], [], [], []
    for panel in folded:
        absent = _drop_newer(opened, panel, np.setdiff1d(panel.absent, panel.let_go))
        codes += [panel.let_go, absent]
        at_once += [np.ones(len(panel.let_go), np.bool_), np.zeros(len(absent), np.bool_)]
        elsewhere += [np.isin(some, panel.elsewhere) for some in (panel.let_go, absent)]
        npis.append(np.full(len(panel.let_go) + len(absent), int(panel.npi), np.uint64))
    if not npis:
        nobody, none = np.empty(0, np.uint64), np.empty(0, np.bool_)
        return Departures(nobody, nobody, none, none)
    return Departures(np.concatenate(npis), np.concatenate(codes), np.concatenate(at_once), np.concatenate(elsewhere))


def fingerprint_departures(opened: Reading, rule: str, found: Departures, doubts: Sequence[str] = ()) -> str:
    """Answer the SHA-256 to which a person's decision about a delivery is bound: the file, the doubts, and who goes.

    Whom the feed lets go and another one still lists stays; they are named apart, so that a person is asked anew once
    that other feed has let go of one. `doubts` are the codes of all doubts about a file that is held whole; `rule` is
    the gravest. Patients stand in it as keyed tokens, as in the fingerprint of a plan: everybody sees it, and an MBI
    could be guessed.
    """
    lets_go = _conceal(opened, found.choose(found.at_once & ~found.elsewhere))
    staying = _conceal(opened, found.choose(found.at_once & found.elsewhere))
    told: dict[str, Json] = {"doubts": list(doubts)} if doubts else {}
    if staying:
        told["listed_elsewhere"] = staying
    return digest_json({"delivery": opened.delivery.sha256, "rule": rule, "lets_go": lets_go, **told})


def _conceal(opened: Reading, found: Departures) -> dict[str, Json]:
    tokens = defaultdict(list)
    for npi, code in zip(found.npi.tolist(), found.mbi.tolist(), strict=True):
        tokens[f"{npi:010d}"].append(opened.keys.conceal(unpack_mbi(code)))
    return {npi: [*sorted(theirs)] for npi, theirs in tokens.items()}


def find_newer(
    opened: Reading, evidence_at: npt.NDArray[np.int64], delivery: npt.NDArray[np.int32]
) -> npt.NDArray[np.bool_]:
    """Answer which claims rest on newer evidence than a delivery, or on a later delivery of the same time."""
    at = (opened.evidence_at - _EPOCH) // timedelta(seconds=1)
    newer: npt.NDArray[np.bool_] = (evidence_at > at) | ((evidence_at == at) & (delivery > opened.delivery.number))
    return newer


def find_basis(connection: Connection, organization_id: str, feed_id: str) -> str:
    """Answer a digest of all that decides whom a file of the feed lets go, beside the file; nothing is opened for it.

    These are the feed's settings, the versions of its claims and of other feeds' about the same practitioners, the
    deliveries that were folded last, and changed MBIs.
    """
    feed = feeds.load_feed(connection, organization_id, feed_id)
    heads = panels.find_panel_heads(connection, organization_id, side="claims")
    npis = {head.npi for head in heads if head.source == feed_id}
    folded = deliveries.find_last_folded(connection, organization_id, feed_id, n=_LAST_FOLDED)
    return digest_json(
        {
            "feed": [feed.scope, feed.absences_before_removal, feed.environment, digest_settings(feed)],
            "claims": [[head.npi, head.source, head.version] for head in heads if head.npi in npis],
            "folded": [[one.id, one.state, one.folded_at.isoformat()] for one in folded if one.folded_at],
            "renames": list(deliveries.describe_renames(connection, organization_id)),
        }
    )


def _drop_newer(opened: Reading, panel: FoldedPanel, absent: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Of whom the file does not list, leave away those whose claim is newer: folding lets it stand as it is."""
    claims, places = panel.claims, np.searchsorted(panel.claims.mbi, absent)
    left_out: npt.NDArray[np.uint64] = absent[~find_newer(opened, claims.evidence_at[places], claims.delivery[places])]
    return left_out
