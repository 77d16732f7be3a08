"""Name a practitioner by hand, because DPC registers nobody without a name."""

from __future__ import annotations

from service.domain.demographics import is_registrable_name
from service.domain.errors import InvalidInput, NotFound
from service.domain.people import Action, Actor, check_may
from service.runtime import Runtime
from service.storage import practitioners
from service.workflows.record import record_fact


def name_practitioner(
    rt: Runtime, organization_id: str, npi: str, *, given: str, family: str, actor: Actor
) -> practitioners.Practitioner:
    """Give a practitioner who occurs on a roster a name; the next plan can then register them at DPC.

    Names are public and correct nothing at DPC: there a practitioner's name cannot be changed (contract-v1 7). Raises
    NotFound for an NPI that no roster names, InvalidInput for a name that DPC would refuse.
    """
    check_may(actor, Action.DRAW_PLAN, organization_id)
    given, family = given.strip(), family.strip()
    if not (is_registrable_name(given) and is_registrable_name(family)) or len(given) > 100 or len(family) > 100:
        raise InvalidInput(
            "DPC needs a given and a family name, without < and >, and with spaces around any &.",
            next_action="Correct the name and send it again.",
        )
    now = rt.now()
    with rt.database.begin() as connection:
        if practitioners.find_practitioner(connection, organization_id, npi) is None:
            raise NotFound("No roster of this organisation names this practitioner.")
        named = practitioners.Practitioner(npi, given, family)
        practitioners.upsert_practitioners(connection, organization_id, [named], now=now)
        body = {"npi": npi, "given": given, "family": family}
        record_fact(connection, organization_id, "practitioner-named", at=now, actor=actor.name, body=body)
        return practitioners.find_practitioner(connection, organization_id, npi) or named
