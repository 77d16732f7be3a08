"""The portal's side of version 2 on the control surface; its paths follow contract-v2 10, which names no bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
from flask import Response, current_app, request
from sqlalchemy import Connection

from service.emulator.answers import JSON, build_response, refuse_json
from service.emulator.state import State
from service.emulator.v2.access import portal

Action = Callable[[Connection, State, dict[str, Any], dict[str, str]], object]


def list_v2_controls() -> list[tuple[str, str, str, Callable[..., Response]]]:
    """Method, rule, endpoint and view of each."""
    actions: list[tuple[str, str, Action]] = [
        ("POST", "/organizations/<organization>/v2-systems", _add_system),
        ("PUT", "/v2/Organization/<organization>", _rename),
        ("POST", "/v2/Implementer", _add_implementer),
        ("POST", "/v2/Implementer/<implementer>/org", _add_relation),
        ("GET", "/v2/Implementer/<implementer>/org", _list_relations),
        ("POST", "/v2/Implementer/<implementer>/Org/<organization>/system", _add_implementer_system),
        ("GET", "/v2/Implementer/<implementer>/Org/<organization>/system", _show_system),
        ("POST", "/v2/token", _add_token),
        ("POST", "/v2/key", _add_key),
        ("DELETE", "/v2/<any(token, key):kind>/<credential>", _delete_credential),
    ]
    return [(method, rule, action.__name__.strip("_") + "_v2", _build_view(action)) for method, rule, action in actions]


def _build_view(action: Action) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        state: State = current_app.extensions["emulator"]
        wish = _read_object()
        with state.begin() as connection:
            body = action(connection, state, wish, path)
        return build_response(body, 201 if request.method == "POST" else 200, JSON)

    return view


def _read_object() -> dict[str, Any]:
    try:
        body = orjson.loads(request.get_data() or b"{}")
    except orjson.JSONDecodeError as broken:
        raise refuse_json(400, "The body is not JSON") from broken
    if not isinstance(body, dict):
        raise refuse_json(400, "The body is a JSON object")
    return body


def _add_system(connection: Connection, state: State, wish: dict[str, Any], path: dict[str, str]) -> object:
    return portal.create_system(connection, state, path["organization"], wish)


def _rename(connection: Connection, state: State, wish: dict[str, Any], path: dict[str, str]) -> object:
    portal.update_organization(connection, state, path["organization"], str(wish.get("name")))
    return None


def _add_implementer(connection: Connection, _state: State, wish: dict[str, Any], _path: dict[str, str]) -> object:
    return portal.create_implementer(connection, str(wish.get("name")))


def _add_relation(connection: Connection, _state: State, wish: dict[str, Any], path: dict[str, str]) -> object:
    return portal.create_relation(connection, path["implementer"], str(wish.get("npi")))


def _list_relations(connection: Connection, _state: State, _wish: dict[str, Any], path: dict[str, str]) -> object:
    return portal.list_relations(connection, path["implementer"])


def _add_implementer_system(connection: Connection, state: State, wish: dict[str, Any], path: dict[str, str]) -> object:
    return portal.create_system(connection, state, path["organization"], wish, path["implementer"])


def _show_system(connection: Connection, _state: State, _wish: dict[str, Any], path: dict[str, str]) -> object:
    system_id = portal.find_system(connection, path["implementer"], path["organization"])
    if system_id is None:
        raise refuse_json(404)
    return {"system_id": system_id}


def _add_token(connection: Connection, state: State, wish: dict[str, Any], _path: dict[str, str]) -> object:
    return portal.create_client_token(connection, state, str(wish.get("system_id")), str(wish.get("label", "")))


def _add_key(connection: Connection, _state: State, wish: dict[str, Any], _path: dict[str, str]) -> object:
    return {"id": portal.create_key(connection, str(wish.get("system_id")), wish)}


def _delete_credential(connection: Connection, _state: State, _wish: dict[str, Any], path: dict[str, str]) -> object:
    portal.delete_credential(connection, path["kind"], path["credential"])
    return None
