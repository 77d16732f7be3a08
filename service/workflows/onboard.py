"""Bring an organisation in: its record, its keys, its connection to DPC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from service.domain.canonical import Json
from service.domain.errors import Conflict, InvalidInput
from service.domain.identifiers import LONGEST_SLUG, is_npi, is_slug
from service.domain.people import Action, Actor, check_may
from service.dpc import portal
from service.dpc.client import DpcClient
from service.dpc.credentials import Credentials, generate_key_pair, load_private_key, sign_snippet
from service.runtime import Runtime
from service.storage import organizations
from service.storage.connection import Connection
from service.storage.errors import AlreadyRecorded
from service.storage.organizations import DpcKey
from service.storage.organizations import Organization as Organization
from service.workflows.record import record_fact

DIALECTS = ("v1",)
ENVIRONMENTS = ("sandbox", "production")
APPROVALS = ("every-plan", "standing")
_CHANGEABLE = frozenset(
    {"name", "time_zone", "patient_limit", "renew_within_days", "evidence_max_age_days", "approval", "applies"}
)


@dataclass(frozen=True, slots=True)
class KeyView:
    """One key pair of an organisation: what the portal asks for, and the id it gave, None until then."""

    id: str
    label: str
    public_pem: str
    signature: str
    kid: str | None
    created_at: datetime


def add_organization(
    rt: Runtime,
    *,
    organization_id: str,
    name: str,
    npi: str,
    environment: str = "sandbox",
    dialect: str = "v1",
    time_zone: str = "America/New_York",
    patient_limit: int = 5000,
    approval: str = "every-plan",
    actor: Actor,
) -> Organization:
    """Record an organisation; it is not connected to DPC yet. Raises Conflict when the id is taken."""
    check_may(actor, Action.SET_UP, organization_id)
    _check_slug(organization_id, "organisation id")
    if not is_npi(npi):
        raise InvalidInput("The NPI must have ten digits and a right check digit.")
    added = Organization(
        id=organization_id,
        name=name,
        npi=npi,
        dialect=dialect,
        environment=environment,
        time_zone=time_zone,
        patient_limit=patient_limit,
        approval=approval,
        created_at=rt.now(),
    )
    _check_organization(asdict(added))
    try:
        with rt.database.begin() as connection:
            organizations.add_organization(connection, added)
            rt.open_keys(connection, organization_id)
            _record(rt, connection, organization_id, "organization-added", actor, {"name": name, "npi": npi})
    except AlreadyRecorded:
        raise Conflict(
            f"There is an organisation {organization_id} already.", next_action="Choose another id, or change that one."
        ) from None
    return added


def set_organization(rt: Runtime, organization_id: str, changes: Mapping[str, Any], actor: Actor) -> Organization:
    """Change settings of an organisation; the change itself is recorded."""
    check_may(actor, Action.SET_UP, organization_id)
    unknown = sorted(changes.keys() - _CHANGEABLE)
    if unknown or not changes:
        allowed = ", ".join(sorted(_CHANGEABLE))
        raise InvalidInput(f"What may be changed is: {allowed}.")
    _check_organization(changes)
    with rt.database.begin() as connection:
        changed = organizations.update_organization(connection, organization_id, **changes)
        body: dict[str, Json] = dict(changes)
        _record(rt, connection, organization_id, "organization-changed", actor, body)
    return changed


def load_organization(rt: Runtime, organization_id: str) -> Organization:
    """Answer one organisation; raises NotFound."""
    with rt.database.read() as connection:
        return organizations.load_organization(connection, organization_id)


def find_organizations(rt: Runtime) -> list[Organization]:
    """Answer every organisation of the installation."""
    with rt.database.read() as connection:
        return organizations.find_organizations(connection)


def create_key(rt: Runtime, organization_id: str, label: str, actor: Actor) -> KeyView:
    """Make a 4096-bit RSA key pair; the private half is sealed and never leaves. The portal takes the public half."""
    check_may(actor, Action.SET_UP, organization_id)
    private_pem, public_pem = generate_key_pair()
    key = DpcKey(label=label, public_pem=public_pem, created_at=rt.now())
    with rt.database.begin() as connection:
        organizations.load_organization(connection, organization_id)
        keys = rt.open_keys(connection, organization_id)
        organizations.add_key(connection, keys, organization_id, key, private_pem)
        _record(rt, connection, organization_id, "key-created", actor, {"key": key.id, "label": label})
    signature = sign_snippet(load_private_key(private_pem))
    return KeyView(key.id, label, public_pem, signature, None, key.created_at)


def find_keys(rt: Runtime, organization_id: str) -> list[KeyView]:
    """Answer the organisation's key pairs, newest first, each with the snippet signature that proves possession."""
    with rt.database.begin() as connection:
        return [
            KeyView(
                key.id,
                key.label,
                key.public_pem,
                sign_snippet(rt.load_key(connection, organization_id, key.id)),
                key.kid,
                key.created_at,
            )
            for key in organizations.find_keys(connection, organization_id)
        ]


def connect_organization(
    rt: Runtime,
    organization_id: str,
    *,
    base_url: str,
    client_token: str,
    key_id: str,
    kid: str,
    actor: Actor,
) -> Organization:
    """Connect to DPC with what its portal gave; kept only after a token and a reading have proved that it works.

    `key_id` is ours, `kid` the id that DPC gave to its public half. Raises InvalidInput when DPC answers for another
    organisation than the one recorded here.
    """
    check_may(actor, Action.SET_UP, organization_id)
    with rt.database.begin() as connection:
        organization = organizations.load_organization(connection, organization_id)
        private_key = rt.load_key(connection, organization_id, key_id)
    credentials = Credentials(base_url.rstrip("/"), client_token, kid, private_key, organization_id)
    with rt.open_client(credentials) as dpc:
        answered = dpc.read_organization()
    if answered.npi != organization.npi:
        raise InvalidInput(
            f"DPC answers for the NPI {answered.npi}; this organisation is recorded with {organization.npi}.",
            next_action="Use the client token of this organisation, or correct its record.",
        )
    with rt.database.begin() as connection:
        keys = rt.open_keys(connection, organization_id)
        organizations.save_client_token(connection, keys, organization_id, client_token, now=rt.now())
        organizations.set_key_registered(connection, organization_id, key_id, kid)
        connected = organizations.update_organization(
            connection, organization_id, base_url=base_url.rstrip("/"), dpc_id=answered.organization_id
        )
        body: dict[str, Json] = {"origin": urlsplit(base_url).netloc, "dpc_id": answered.organization_id, "kid": kid}
        _record(rt, connection, organization_id, "organization-connected", actor, body)
    return connected


def connect_to_emulator(rt: Runtime, organization_id: str, origin: str, actor: Actor) -> Organization:
    """Do at an emulator on this machine what CMS's portal does: register organisation and first key, then connect."""
    organization = load_organization(rt, organization_id)
    waiting = [key for key in find_keys(rt, organization_id) if key.kid is None]
    key = waiting[0] if waiting else create_key(rt, organization_id, "first", actor)
    dpc_id, client_token = portal.create_organization(origin, organization.npi, organization.name)
    kid = portal.register_first_key(origin, dpc_id, key.public_pem, key.signature, key.label)
    base_url = f"{origin.rstrip('/')}/api/{organization.dialect}"
    return connect_organization(
        rt, organization_id, base_url=base_url, client_token=client_token, key_id=key.id, kid=kid, actor=actor
    )


def rotate_key(rt: Runtime, organization_id: str, label: str, actor: Actor) -> KeyView:
    """Make a further key and post it to DPC with the present one; from then on the new key signs."""
    key = create_key(rt, organization_id, label, actor)
    with rt.connect_dpc(organization_id) as dpc:
        kid = _post_key(dpc, key)
    with rt.database.begin() as connection:
        organizations.set_key_registered(connection, organization_id, key.id, kid)
        _record(rt, connection, organization_id, "key-registered", actor, {"key": key.id, "kid": kid})
    return KeyView(key.id, label, key.public_pem, key.signature, kid, key.created_at)


def _post_key(dpc: DpcClient, key: KeyView) -> str:
    return dpc.post_key(key.public_pem, key.signature, key.label)


def _record(
    rt: Runtime, connection: Connection, organization_id: str, kind: str, actor: Actor, body: Mapping[str, Json]
) -> None:
    record_fact(connection, organization_id, kind, at=rt.now(), actor=actor.name, body=body)


def _check_slug(text: str, what: str) -> None:
    if not is_slug(text):
        raise InvalidInput(f"The {what} must be lower-case letters, digits and hyphens, at most {LONGEST_SLUG}.")


def _check_choice(changes: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> None:
    if name in changes and changes[name] not in choices:
        raise InvalidInput(f"{name} must be one of: {', '.join(choices)}.")


def _check_number(changes: Mapping[str, Any], name: str, lowest: int, highest: int) -> None:
    if name in changes and not (isinstance(changes[name], int) and lowest <= changes[name] <= highest):
        raise InvalidInput(f"{name} must be a whole number from {lowest} to {highest}.")


def _check_organization(changes: Mapping[str, Any]) -> None:
    _check_choice(changes, "dialect", DIALECTS)
    _check_choice(changes, "environment", ENVIRONMENTS)
    _check_choice(changes, "approval", APPROVALS)
    _check_number(changes, "patient_limit", 1, 1_000_000)
    _check_number(changes, "renew_within_days", 1, 60)
    _check_number(changes, "evidence_max_age_days", 1, 90)
    if "time_zone" in changes:
        try:
            ZoneInfo(str(changes["time_zone"]))
        except (KeyError, ValueError, OSError):
            raise InvalidInput("time_zone must be a name such as America/New_York.") from None
