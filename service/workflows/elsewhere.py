"""Whom one feed leaves out and another still lists: the organisation goes on to claim them, whatever becomes of one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from service.storage import panels
from service.storage.connection import Connection
from service.storage.panels.folding import RenamedCodes, rename_claims
from service.storage.rows import in_batches
from service.workflows.fold import FoldedPanel, load_renames
from service.workflows.reading import Reading

_PRACTITIONERS_AT_ONCE = 200
"""Whose panels are in memory together; a large organisation's would take a lot of it."""
_Listed = dict[str, list[NDArray[np.uint64]]]


def mark_elsewhere(
    connection: Connection, organization_id: str, opened: Reading, folded: Sequence[FoldedPanel]
) -> list[FoldedPanel]:
    """Answer the same panels with those of whom the file leaves out that another feed still lists, and their number.

    Patients are compared by their present MBIs, as `service.domain.roster.build_panel` unites them. Only panels that
    lose somebody and that another feed knows are opened.
    """
    losing = {panel.npi for panel in folded if len(panel.let_go) or len(panel.absent)}
    heads = panels.find_panel_heads(connection, organization_id, side="claims") if losing else []
    known = {head.npi for head in heads if head.source != opened.feed.id and head.n_active} & losing
    if not known:
        return list(folded)
    renames = load_renames(connection, organization_id, opened)
    listed = _load_listed(connection, organization_id, opened, known, renames)
    return [_mark(panel, listed.get(panel.npi, [])) for panel in folded]


def _load_listed(
    connection: Connection, organization_id: str, opened: Reading, npis: Set[str], renames: RenamedCodes
) -> _Listed:
    """Answer whom the other feeds list, by practitioner and under the present MBIs."""
    listed: defaultdict[str, list[NDArray[np.uint64]]] = defaultdict(list)
    for some in in_batches(sorted(npis), _PRACTITIONERS_AT_ONCE):
        for panel in panels.load_claims(connection, opened.keys, organization_id, tuple(some)):
            if panel.feed != opened.feed.id:
                claims = rename_claims(panel.columns, renames)
                listed[panel.npi].append(claims.mbi[~claims.ended])
    return listed


def _mark(panel: FoldedPanel, listed: Sequence[NDArray[np.uint64]]) -> FoldedPanel:
    if not listed:
        return panel
    told = np.concatenate(listed)
    leaving = np.union1d(panel.let_go, panel.absent)
    staying = int(np.count_nonzero(np.isin(panel.let_go, told)))
    return replace(panel, elsewhere=leaving[np.isin(leaving, told)], effect=replace(panel.effect, staying=staying))
