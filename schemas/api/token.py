"""The token request and answer of OAuth 2.0 client credentials (RFC 6749, 4.4)."""

from __future__ import annotations

from marshmallow import fields, validate

from schemas.api.base import StrictSchema


class TokenWish(StrictSchema):
    """Form fields; the client's id and secret may travel as HTTP Basic instead."""

    grant_type = fields.String(required=True, validate=validate.Equal("client_credentials"))
    client_id = fields.String(load_default=None, validate=validate.Length(1, 200))
    client_secret = fields.String(load_default=None, validate=validate.Length(1, 200))
    scope = fields.String(
        load_default=None,
        validate=validate.Length(0, 200),
        metadata={"description": "Accepted and ignored: a token has every scope of its client."},
    )


class TokenSchema(StrictSchema):
    """A bearer token and how many seconds it lives."""

    access_token = fields.String(required=True)
    token_type = fields.Constant("Bearer")
    expires_in = fields.Integer(required=True)
    scope = fields.String(required=True)
