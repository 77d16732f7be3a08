"""The control surface `/_emulator`: clock, jobs, faults, journal and what CMS's portal does for a customer."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from flask import Blueprint, Response, current_app, request

from service.emulator.answers import JSON, build_response, refuse_json
from service.emulator.clock import Clock, move_by, read_instant
from service.emulator.control.onboarding import (
    create_access_token,
    create_key,
    create_organization,
    create_second_group,
)
from service.emulator.faults import read_fault
from service.emulator.preview.calls import create_token
from service.emulator.state import State
from service.emulator.v1.exports.outcomes import load_outcomes, save_outcome
from service.emulator.v2.control import list_v2_controls


def build_control() -> Blueprint:
    """All control routes, for callers on the loopback interface only."""
    blueprint = Blueprint("control", __name__)
    blueprint.before_request(_check_loopback)
    routes: list[tuple[str, str, Callable[..., Response]]] = [
        ("GET", "/clock", show_clock),
        ("POST", "/clock", change_clock),
        ("POST", "/jobs/expire", run_expiry),
        ("GET", "/faults", list_faults),
        ("POST", "/faults", add_faults),
        ("DELETE", "/faults", clear_faults),
        ("GET", "/log", show_log),
        ("POST", "/reset", reset),
        ("POST", "/settings", change_settings),
        ("GET", "/outcomes", list_outcomes),
        ("POST", "/outcomes", set_outcomes),
        ("POST", "/organizations", add_organization),
        ("POST", "/organizations/<organization_id>/keys", add_key),
        ("POST", "/organizations/<organization_id>/access-tokens", add_access_token),
        ("POST", "/organizations/<organization_id>/groups", add_group),
        ("POST", "/organizations/<organization_id>/preview-tokens", add_preview_token),
        ("GET", "/golden-macaroon", show_golden),
    ]
    for method, rule, view in routes:
        blueprint.add_url_rule(rule, endpoint=view.__name__, view_func=view, methods=[method])
    for method, rule, endpoint, view in list_v2_controls():
        blueprint.add_url_rule(rule, endpoint=endpoint, view_func=view, methods=[method])
    return blueprint


def _state() -> State:
    state: State = current_app.extensions["emulator"]
    return state


def _check_loopback() -> None:
    address = request.remote_addr
    if address is not None and not ipaddress.ip_address(address).is_loopback:
        raise refuse_json(403, "The control surface answers loopback callers only")


def _answer(body: object, status: int = 200) -> Response:
    return build_response(body, status, JSON)


def _read_body() -> Any:
    try:
        return orjson.loads(request.get_data() or b"{}")
    except orjson.JSONDecodeError as broken:
        raise refuse_json(400, "The body is not JSON") from broken


def _read_object() -> dict[str, Any]:
    body = _read_body()
    if not isinstance(body, dict):
        raise refuse_json(400, "The body is a JSON object")
    return body


def build_clock_view(clock: Clock) -> dict[str, str]:
    """The clock as the control surface shows it."""
    return {"now": clock.now().isoformat().replace("+00:00", "Z"), "mode": clock.mode}


def show_clock() -> Response:
    """Now and mode."""
    return _answer(build_clock_view(_state().clock))


def change_clock() -> Response:
    """`mode`, `set` and `advance`, in this order when several are given."""
    wish = _read_object()
    try:
        _state().change_clock(lambda clock: _turn(clock, wish))
    except (ValueError, OverflowError, TypeError) as wrong:
        raise refuse_json(400, str(wrong)) from wrong
    return show_clock()


def _turn(clock: Clock, wish: dict[str, Any]) -> None:
    at: datetime | None = None
    if "set" in wish:
        at = read_instant(wish["set"])
    if "advance" in wish:
        at = move_by(at or clock.now(), wish["advance"])
    if "mode" in wish:
        clock.set_mode(wish["mode"])
    if at is not None:
        clock.set_now(at)


def run_expiry() -> Response:
    """Run the expiry job now."""
    expired = _state().run_expiry()
    return _answer({"flagged": expired.flagged, "purged": expired.purged})


def list_faults() -> Response:
    """How often each fault has been met and has fired."""
    faults = _state().faults
    return _answer([{"name": fault.name, "seen": fault.seen, "fired": fault.fired} for fault in faults])


def add_faults() -> Response:
    """One fault or a list of them, after those already there."""
    body = _read_body()
    try:
        faults = [read_fault(wish) for wish in (body if isinstance(body, list) else [body])]
    except (ValueError, TypeError, AttributeError) as wrong:
        raise refuse_json(400, str(wrong)) from wrong
    state = _state()
    with state.lock:
        state.faults.extend(faults)
    return _answer({"faults": len(state.faults)})


def clear_faults() -> Response:
    """Back to an honest server."""
    state = _state()
    with state.lock:
        state.faults.clear()
    return _answer(None, 204)


def show_log() -> Response:
    """Every request that was not to the control surface, in order of arrival."""
    state = _state()
    with state.lock:
        return _answer(state.journal)


def reset() -> Response:
    """Forget organisations, requests and faults."""
    _state().reset()
    return _answer(None, 204)


def change_settings() -> Response:
    """`patient_limit` and `provider_limit` (-1 is none), and the knobs of `service.emulator.state.Knobs`."""
    wish = _read_object()
    try:
        _state().change_settings(wish)
    except ValueError as wrong:
        raise refuse_json(400, str(wrong)) from wrong
    return _answer(_state().list_settings())


def list_outcomes() -> Response:
    """What the claims server has been told to answer, by MBI."""
    with _state().begin() as connection:
        return _answer(load_outcomes(connection))


def set_outcomes() -> Response:
    """`mbi` and `outcome`, one object or a list: what exports say about that patient from now on."""
    body = _read_body()
    try:
        with _state().begin() as connection:
            for wish in body if isinstance(body, list) else [body]:
                save_outcome(connection, str(wish["mbi"]), str(wish["outcome"]))
            return _answer(load_outcomes(connection))
    except (ValueError, TypeError, KeyError) as wrong:
        raise refuse_json(400, f"mbi and outcome: {wrong}") from wrong


def add_organization() -> Response:
    """What the portal does: an organisation with its first client token."""
    wish = _read_object()
    npi, name = wish.get("npi"), wish.get("name")
    if not (isinstance(npi, str) and isinstance(name, str)):
        raise refuse_json(400, "npi and name are needed")
    state = _state()
    with state.begin() as connection:
        organization_id, token = create_organization(connection, state, npi, name)
    return _answer({"id": organization_id, "client_token": token}, 201)


def add_key(organization_id: str) -> Response:
    """What the portal does: an organisation's first key."""
    wish = _read_object()
    state = _state()
    with state.begin() as connection:
        row = create_key(connection, state, organization_id, wish)
    return _answer({"id": row["id"]}, 201)


def add_access_token(organization_id: str) -> Response:
    """An access token of five minutes for who tries the API by hand; a client gets its own with an assertion."""
    state = _state()
    with state.begin() as connection:
        token = create_access_token(connection, state, organization_id)
    return _answer({"access_token": token, "token_type": "bearer", "expires_in": 300}, 201)


def add_group(organization_id: str) -> Response:
    """One more empty Group for the practitioner `npi`, whether one exists or not."""
    npi = str(_read_object().get("npi"))
    with _state().begin() as connection:
        return _answer({"id": create_second_group(connection, organization_id, npi)}, 201)


def add_preview_token(organization_id: str) -> Response:
    """What the operator of the preview does: a bearer token without end."""
    with _state().begin() as connection:
        return _answer({"token": create_token(connection, organization_id)}, 201)


def show_golden() -> Response:
    """The admin macaroon; narrowed by caveats it acts for one organisation."""
    return _answer({"token": _state().build_golden()})
