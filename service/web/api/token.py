"""The token of a machine: OAuth 2.0 client credentials with a client secret."""

from __future__ import annotations

from typing import Any

from flask import request

from schemas.api.token import TokenSchema, TokenWish
from service.domain.errors import NotAuthenticated
from service.web.access import open_to_all
from service.web.api.section import Route, Section
from service.web.places import find_runtime
from service.workflows.people import issue_token

section = Section("token", "Turn a client id and secret into a bearer token of 15 minutes.")


@section.route(
    Route("/token", TokenSchema, method="POST", body=TokenWish, location="form", errors=(401, 422)), open_to_all
)
def post_token(wish: dict[str, Any]) -> Any:
    """Ask for a bearer token with a client id and secret, as form fields or as HTTP Basic."""
    basic = request.authorization
    client_id, client_secret = wish["client_id"], wish["client_secret"]
    if client_id is None and basic is not None and basic.type == "basic":
        client_id, client_secret = basic.username, basic.password
    if not client_id or not client_secret:
        raise NotAuthenticated("A client id and a client secret are needed.")
    token = issue_token(find_runtime(), client_id, client_secret)
    return {"access_token": token.access_token, "expires_in": token.expires_in, "scope": token.scope}
