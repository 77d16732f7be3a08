"""One call to the API: its transaction, who is asking, and the checks made before a resource sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Concatenate

from flask import Blueprint, Response, current_app, request
from sqlalchemy import Connection, Table, bindparam, select
from sqlalchemy.exc import IntegrityError

from service.emulator import tables
from service.emulator.answers import (
    FHIR,
    JSON,
    Refused,
    refuse,
    refuse_credentials,
    refuse_duplicate,
    refuse_invalid,
    refuse_json,
    refuse_missing_credentials,
)
from service.emulator.clock import read_instant, to_us
from service.emulator.macaroons import Macaroon, UnreadableMacaroon, is_genuine, read_tokens
from service.emulator.state import State
from service.emulator.v1.fhir.validation import find_uuid, has_html
from service.emulator.wire import ENTRY

FHIR_TYPES = (FHIR, "application/fhir+ndjson")
OWNED: dict[str, Table] = {
    "Group": tables.groups,
    "Patient": tables.patients,
    "Practitioner": tables.practitioners,
}

# Asked on every call, so built once.
_ORGANIZATION = select(tables.organizations.c.id).where(tables.organizations.c.id == bindparam("key"))
_TOKEN_HOLDER = select(tables.tokens.c.organization_id).where(tables.tokens.c.id == bindparam("key"))
_OWNERSHIP = {
    resource: select(table.c.id).where(table.c.id == bindparam("key"), table.c.organization_id == bindparam("owner"))
    for resource, table in OWNED.items()
}


@dataclass(slots=True)
class Call:
    """One request within its transaction; `organization_id` is empty on public and admin endpoints."""

    state: State
    connection: Connection
    now: datetime
    organization_id: str = ""

    @property
    def now_us(self) -> int:
        """Now in microseconds since 1970."""
        return to_us(self.now)

    @property
    def base(self) -> str:
        """The public base URL of version 1."""
        return self.state.public_url + "/v1"

    def mark_effect(self) -> None:
        """Tell the journal that this request changed something; called after the last write."""
        request.environ[ENTRY]["effect"] = True

    def note_organization(self, organization_id: str) -> None:
        """Tell the journal who is asking."""
        request.environ[ENTRY]["organization_id"] = organization_id

    def note_patients(self, count: int) -> None:
        """Tell the journal how many patients the body names."""
        request.environ[ENTRY]["patients"] = count


View = Callable[Concatenate[Call, ...], Response]


def build_location(resource: str, resource_id: str) -> str:
    """`Location` is resolved from the request as the server sees it (contract-v1 1.1)."""
    return f"{request.host_url}api/v1/{resource}/{resource_id}"


def fhir_route(
    blueprint: Blueprint,
    method: str,
    rule: str,
    *,
    owned: str | None = None,
    admin: bool = False,
    public: bool = False,
) -> Callable[[View], View]:
    """Register a FHIR endpoint: token, ownership, Accept and Content-Type are checked first (contract-v1 1.2).

    `owned` names the resource whose id the path holds as `resource_id`; `admin` asks for the golden macaroon;
    `public` for nothing.
    """

    def enter(call: Call, view: View, path: dict[str, str]) -> Response:
        if not public:
            _admit_fhir(call, path, owned, admin)
        check_fhir_headers()
        return view(call, **path)

    def register(view: View) -> View:
        def endpoint(**path: str) -> Response:
            try:
                return _answer_call(lambda call: enter(call, view, path))
            except (Refused, KeyboardInterrupt):
                raise
            except IntegrityError:
                raise refuse_duplicate("unique_in_its_table") from None
            except Exception as unforeseen:
                current_app.extensions["emulator"].note_defect(unforeseen)
                current_app.logger.exception("unforeseen")
                raise refuse(500, str(unforeseen) or None) from unforeseen

        blueprint.add_url_rule(rule, endpoint=view.__name__, view_func=endpoint, methods=[method])
        return view

    return register


def _admit_fhir(call: Call, path: dict[str, str], owned: str | None, admin: bool) -> None:
    """Token, then ownership of the path's id."""
    organization_id = authenticate(call)
    if admin:
        if organization_id:
            raise refuse_missing_credentials()
    else:
        _set_organization(call, organization_id)
    if owned is not None:
        path["resource_id"] = _check_owned(call, owned, path["resource_id"])


def json_route(
    blueprint: Blueprint,
    method: str,
    rule: str,
    *,
    public: bool = False,
    accepts: Iterable[str] = (JSON,),
    consumes: str | None = JSON,
) -> Callable[[View], View]:
    """Register a plain endpoint: media types are part of its matching, the token comes after (contract-v1 1.3)."""

    def register(view: View) -> View:
        def endpoint(**path: str) -> Response:
            check_json_headers(accepts, consumes)
            return _answer_call(lambda call: _enter_json(call, view, path, public))

        blueprint.add_url_rule(rule, endpoint=view.__name__, view_func=endpoint, methods=[method])
        return view

    return register


def _enter_json(call: Call, view: View, path: dict[str, str], public: bool) -> Response:
    if not public:
        _set_organization(call, authenticate(call))
    return view(call, **path)


def _answer_call(answer: Callable[[Call], Response]) -> Response:
    state: State = current_app.extensions["emulator"]
    with state.lock:
        if state.is_expiry_due():
            with state.begin() as connection:
                state.run_due_expiry(connection)
        with state.begin() as connection:
            return answer(Call(state, connection, state.clock.now()))


def _set_organization(call: Call, organization_id: str) -> None:
    if not organization_id:
        raise refuse_credentials()
    call.organization_id = organization_id
    call.note_organization(organization_id)


def authenticate(call: Call) -> str:
    """The organisation of the bearer; empty for the bare golden macaroon (contract-v1 3.1).

    Refuses with the 401s of 3.2, or 500 when the macaroon's identifier is no UUID.
    """
    bearer = _find_bearer()
    if bearer is None:
        raise refuse_missing_credentials()
    try:
        macaroons = _read_bearer(bearer)
    except UnreadableMacaroon:
        raise refuse_credentials() from None
    identifier = macaroons[0].identifier.decode("latin-1")
    if find_uuid(identifier) is None:
        raise refuse(500, f"Invalid UUID string: {identifier}")
    organization_id = _find_organization(call, macaroons[0], identifier)
    if not _is_genuine(call.state.root_key, macaroons):
        raise refuse_credentials()
    if not all(_holds(call, pair, organization_id) for pair in _read_first_party(macaroons[0])):
        raise refuse_credentials()
    return organization_id


@lru_cache(maxsize=256)
def _read_bearer(text: str) -> tuple[Macaroon, ...]:
    """A token lives five minutes and comes with every call: read and recomputed once."""
    return tuple(read_tokens(text))


_is_genuine = lru_cache(maxsize=256)(is_genuine)


def _find_bearer() -> str | None:
    header = request.headers.get("Authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.args.get("token") or None


def _find_organization(call: Call, macaroon: Macaroon, identifier: str) -> str:
    if identifier == call.state.golden_id:
        named = macaroon.find_values("organization_id")
        if not named:
            return ""
        query, key = _ORGANIZATION, named[0]
    else:
        query, key = _TOKEN_HOLDER, identifier
    organization_id: str | None = call.connection.execute(query, {"key": key}).scalar()
    if organization_id is None:
        raise refuse_credentials()
    return organization_id


def _read_first_party(macaroon: Macaroon) -> list[tuple[str, str]]:
    texts = [caveat.cid.decode("utf-8", "replace") for caveat in macaroon.caveats if caveat.vid is None]
    pairs = [text.partition(" = ") for text in texts]
    return [(name, value) for name, _, value in pairs]


def _holds(call: Call, pair: tuple[str, str], organization_id: str) -> bool:
    name, value = pair
    try:
        if name == "expires":
            return read_instant(value) >= call.now
        if name == "dpc_macaroon_version":
            return int(value) >= 1
    except ValueError:
        return False
    return name == "organization_id" and value == organization_id


def _check_owned(call: Call, resource: str, text: str) -> str:
    resource_id = find_uuid(text)
    if resource_id is None:
        raise refuse(404, "HTTP 404 Not Found")
    if resource == "Organization":
        if resource_id != call.organization_id:
            raise refuse_credentials()
        return resource_id
    values = {"key": resource_id, "owner": call.organization_id}
    if call.connection.execute(_OWNERSHIP[resource], values).first() is None:
        raise refuse(404, f"{resource} not found")
    return resource_id


def _read_types(header: str) -> list[str]:
    return [part.partition(";")[0].strip().lower() for part in header.split(",") if part.strip()]


def _is_compatible(offered: str, wanted: str) -> bool:
    main, _, sub = offered.partition("/")
    wanted_main, _, wanted_sub = wanted.partition("/")
    return main in ("*", wanted_main) and sub in ("*", wanted_sub)


def _fits(header: str, wanted: Iterable[str]) -> bool:
    kinds = tuple(wanted)
    return any(_is_compatible(offered, kind) for offered in _read_types(header) for kind in kinds)


def check_fhir_headers() -> None:
    """Accept, then Content-Type of a FHIR endpoint; 415 for either (contract-v1 1.3)."""
    accept = request.headers.get("Accept", "").strip() or "*/*"
    wildcard_export = "$export" in request.path and "*/*" in accept
    if wildcard_export or not _fits(accept, FHIR_TYPES):
        raise refuse(415, "`Accept:` header must specify valid FHIR content type")
    content_type = request.headers.get("Content-Type", "").strip()
    if content_type:
        if not _fits(content_type, FHIR_TYPES):
            raise refuse(415, "`Content-Type:` header must specify valid FHIR content type")
    elif request.get_data():
        raise refuse(415, "HTTP 415 Unsupported Media Type")


def check_json_headers(accepts: Iterable[str], consumes: str | None) -> None:
    """Media types of a plain endpoint: 415 for Content-Type, 406 for Accept (contract-v1 1.3)."""
    content_type = request.headers.get("Content-Type", "").strip()
    if consumes and (content_type or request.get_data()) and not _fits(content_type, (consumes,)):
        raise refuse_json(415)
    if not _fits(request.headers.get("Accept", "").strip() or "*/*", accepts):
        raise refuse_json(406)


def find_argument(name: str) -> str | None:
    """A query parameter of a FHIR endpoint; HTML in it is refused with 400 (contract-v1 1.4)."""
    text = request.args.get(name)
    if text is not None and has_html(text):
        raise refuse_invalid(400, [f"query param {name} Cannot contain HTML"])
    return text


def read_json_body() -> dict[str, Any]:
    """The JSON object a plain endpoint was sent; empty without a body (contract-v1 2.3)."""
    raw = request.get_data()
    if not raw.strip():
        return {}
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise Refused(400, "Value could not be parsed as JSON", "text/plain")
    return body
