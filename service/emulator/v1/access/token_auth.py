"""Exchanging a client assertion for an access token, with the checks in DPC's order (contract-v1 4.3 to 4.6)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from flask import Blueprint, Response, request
from jwt.utils import base64url_decode
from sqlalchemy import select

from service.emulator import macaroons
from service.emulator.answers import (
    JSON,
    Refused,
    build_response,
    refuse_fields,
    refuse_json,
    refuse_unexpected,
)
from service.emulator.clock import format_java
from service.emulator.state import State
from service.emulator.tables import public_keys
from service.emulator.v1.calls import Call, json_route
from service.emulator.v1.fhir.validation import find_uuid, has_html

ACCESS_LIFE = timedelta(minutes=5)
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
FORM = "application/x-www-form-urlencoded"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "system/*.*"

_FIELDS = (
    ("scope", "arg0 Scope is required"),
    ("grant_type", "arg1 Grant type is required"),
    ("client_assertion_type", "arg2 Assertion type is required"),
    ("client_assertion", "arg3 Assertion is required"),
)

blueprint = Blueprint("token_auth", __name__)


@json_route(blueprint, "POST", "/Token/auth", public=True, consumes=FORM)
def exchange_token(call: Call) -> Response:
    """An access token of five minutes; neither the client token's signature nor its life is checked here."""
    assertion = _read_assertion()
    header, claims = _read_jwt(assertion)
    client = _read_client_token(claims.get("sub"))
    organization_id = client[0].find_values("organization_id")[0]
    key = _load_key(call, header.get("kid"), organization_id)
    call.note_organization(organization_id)
    _check_signature(assertion, key)
    _check_times_and_audience(call, claims)
    _check_claims(call, claims)
    access = build_access_token(call.state, client[0])
    body = {"access_token": access, "token_type": "bearer", "expires_in": 300, "scope": SCOPE}
    return build_response(body, 200, JSON)


def _read_assertion() -> str:
    form = request.form
    missing = [text for name, text in _FIELDS if not form.get(name)]
    html = [f"arg{n} Cannot contain HTML" for n, (name, _) in enumerate(_FIELDS) if has_html(form.get(name, ""))]
    if missing or html:
        raise refuse_fields(400, missing + html)
    if form["grant_type"] != "client_credentials":
        raise refuse_json(400, "Grant Type must be 'client_credentials'")
    if form["client_assertion_type"] != ASSERTION_TYPE:
        raise refuse_json(400, f"Client Assertion Type must be '{ASSERTION_TYPE}'")
    if form["scope"] != SCOPE:
        raise refuse_json(400, f"Access Scope must be '{SCOPE}'")
    return form["client_assertion"]


def _read_jwt(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        head, payload, _ = assertion.split(".")
        header, claims = orjson.loads(base64url_decode(head)), orjson.loads(base64url_decode(payload))
    except ValueError:
        raise _invalid() from None
    if not (isinstance(header, dict) and isinstance(claims, dict)):
        raise _invalid()
    return header, claims


def _invalid() -> Refused:
    return refuse_json(401, "Invalid JWT")


def _read_client_token(subject: object) -> list[macaroons.Macaroon]:
    if not subject:
        raise refuse_json(401, "JWT must have client_id")
    try:
        client = macaroons.read_tokens(str(subject))
    except macaroons.UnreadableMacaroon:
        raise refuse_unexpected() from None
    if not client[0].find_values("organization_id"):
        raise refuse_json(401, "JWT client token must have organization_id")
    return client


def _load_key(call: Call, kid: object, organization_id: str) -> RSAPublicKey:
    if kid is None:
        raise refuse_unexpected()
    key_id = find_uuid(str(kid))
    if key_id is None:
        raise refuse_json(401, "Invalid Public Key ID")
    query = select(public_keys.c.pem).where(
        public_keys.c.id == key_id, public_keys.c.organization_id == organization_id
    )
    pem: str | None = call.connection.execute(query).scalar()
    if pem is None:
        raise refuse_json(401, f"Cannot find public key with id: {kid}")
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise refuse_unexpected()
    return key


def _check_signature(assertion: str, key: RSAPublicKey) -> None:
    try:
        jwt.PyJWS().decode_complete(assertion, key, algorithms=ALGORITHMS)
    except jwt.PyJWTError:
        raise _invalid() from None


def _read_seconds(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _invalid()
    return float(value)


def _check_times_and_audience(call: Call, claims: dict[str, Any]) -> None:
    now = call.now.timestamp()
    expires, not_before = _read_seconds(claims, "exp"), _read_seconds(claims, "nbf")
    if (expires is not None and expires < now) or (not_before is not None and not_before > now):
        raise _invalid()
    audience = claims.get("aud")
    accepted = audience if isinstance(audience, list) else [audience]
    if f"{call.base}/Token/auth" not in accepted:
        raise _invalid()


def _check_claims(call: Call, claims: dict[str, Any]) -> None:
    if not claims.get("iss"):
        raise refuse_json(400, "Claim issuer must be present")
    if claims["iss"] != claims["sub"]:
        raise refuse_json(400, "Issuer and Subject must be identical")
    if not claims.get("jti"):
        raise refuse_json(400, "Claim id must be present")
    if not call.state.use_jti(str(claims["jti"]), call.now):
        raise _invalid()
    if claims.get("exp") is None:
        raise refuse_json(400, "Claim expiration must be present")
    if claims["exp"] > (call.now + ACCESS_LIFE).timestamp():
        raise refuse_json(401, "Not authorized")


def build_access_token(state: State, client: macaroons.Macaroon) -> str:
    """A client macaroon extended to end in five minutes, with its discharges bound to it (contract-v1 4.7)."""
    expires_at: datetime = state.clock.now() + ACCESS_LIFE
    extended = macaroons.add_caveat(client, f"expires = {format_java(expires_at)}")
    discharges = [
        macaroons.build_discharge(state.root_key, extended, caveat.cid)
        for caveat in extended.caveats
        if caveat.vid is not None
    ]
    return macaroons.encode_tokens([extended, *discharges])


@json_route(blueprint, "POST", "/Token/validate", public=True, consumes="text/plain")
def validate_token(call: Call) -> Response:
    """200 without a body when the assertion's form is right; neither key nor signature is looked at (4.6)."""
    assertion = request.get_data().decode("utf-8", "replace").strip()
    if not assertion:
        raise refuse_fields(422, ["Must submit JWT"])
    try:
        header, claims = _read_jwt(assertion)
    except Refused:
        raise refuse_json(400, "JWT is not formatted correctly") from None
    for is_wrong, message in _list_complaints(call, header, claims):
        if is_wrong:
            raise refuse_json(400, message)
    return build_response(None, 200, JSON)


def _list_complaints(call: Call, header: dict[str, Any], claims: dict[str, Any]) -> list[tuple[bool, str]]:
    kid, subject, audience = header.get("kid"), claims.get("sub"), claims.get("aud")
    expires = claims.get("exp")
    moment = float(expires) if isinstance(expires, (int, float)) else 0.0
    now = call.now.timestamp()
    jti = claims.get("jti")
    used_at = call.state.used_jtis.get(str(jti))
    only = audience[0] if isinstance(audience, list) and len(audience) == 1 else audience
    return [
        (not kid, "JWT header must have `kid` value"),
        (find_uuid(str(kid)) is None, "`kid` value must be a UUID"),
        (expires is None, "Claim `expiration` must be present"),
        (moment < now, "JWT is expired"),
        (moment > now + 300, "Token expiration cannot be more than 5 minutes in the future"),
        (not claims.get("iss"), "Claim `issuer` must be present"),
        (not jti, "Claim `id` must be present"),
        (used_at is not None and call.now - used_at < ACCESS_LIFE, "Token ID cannot be re-used"),
        (not subject, "Claim `subject` must be present"),
        (claims.get("iss") != subject, "Issuer and Subject must be identical"),
        (not audience, "Claim `audience` must be present"),
        (only != f"{call.base}/Token/auth", "Audience claim value is incorrect"),
        (
            find_uuid(str(subject)) is not None,
            "Cannot use Token ID as `client_token`, must use actual token value",
        ),
        (not _is_macaroon(str(subject)), "Client token is not formatted correctly"),
    ]


def _is_macaroon(text: str) -> bool:
    try:
        macaroons.read_tokens(text)
    except macaroons.UnreadableMacaroon:
        return False
    return True
