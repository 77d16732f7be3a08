"""The small STU3 and JSON answers of DPC v1 as marshmallow shapes; unknown fields are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate


class _Loose(Schema):
    """A shape that takes what it knows and leaves out the rest."""

    class Meta:
        """Servers add fields; none of them may break the reading."""

        unknown = EXCLUDE


class Coding(_Loose):
    """One code of one system."""

    system = fields.String(allow_none=True)
    code = fields.String(allow_none=True)


class Concept(_Loose):
    """Codings and a text for people."""

    coding = fields.List(fields.Nested(Coding), allow_none=True)
    text = fields.String(allow_none=True)


class Issue(_Loose):
    """One issue of an OperationOutcome; DPC leaves out `code` at times although FHIR wants it (contract-v1 2.2)."""

    severity = fields.String(allow_none=True)
    code = fields.String(allow_none=True)
    diagnostics = fields.String(allow_none=True)
    details = fields.Nested(Concept, allow_none=True)


class OperationOutcome(_Loose):
    """What went wrong, or nothing."""

    resource_type = fields.String(data_key="resourceType", required=True, validate=validate.Equal("OperationOutcome"))
    issue = fields.List(fields.Nested(Issue), load_default=list)


class Identifier(_Loose):
    """A value of one system."""

    system = fields.String()
    value = fields.String(required=True)


class Organization(_Loose):
    """The organisation that a token belongs to."""

    resource_type = fields.String(data_key="resourceType", required=True, validate=validate.Equal("Organization"))
    id = fields.String(required=True)
    identifier = fields.List(fields.Nested(Identifier), required=True)
    name = fields.String(load_default="")


class AccessToken(_Loose):
    """The answer of `Token/auth`."""

    access_token = fields.String(required=True, validate=validate.Length(min=1))
    token_type = fields.String(load_default="bearer")
    expires_in = fields.Float(load_default=300.0, validate=validate.Range(min=1))


class PublicKey(_Loose):
    """A registered key."""

    id = fields.String(required=True, validate=validate.Length(min=1))
    label = fields.String(load_default="", allow_none=True)
    created_at = fields.AwareDateTime(data_key="createdAt", load_default=None, allow_none=True)


class ClientToken(PublicKey):
    """A client token as it is listed."""

    expires_at = fields.AwareDateTime(data_key="expiresAt", load_default=None, allow_none=True)


_ACCESS_TOKEN = AccessToken()
_CLIENT_TOKEN = ClientToken()
_KEY = PublicKey()
_ORGANIZATION = Organization()
_OUTCOME = OperationOutcome()


def read_access_token(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Answers `access_token` and `expires_in` (seconds); raises ValueError without a word of the body."""
    return _load(_ACCESS_TOKEN, tree)


def read_client_token(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Answers id, label, created_at and expires_at of a client token; raises ValueError."""
    return _load(_CLIENT_TOKEN, tree)


def read_key(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Answers id, label and created_at of a registered key; raises ValueError."""
    return _load(_KEY, tree)


def read_organization(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Answers id, identifiers and name of an Organization; raises ValueError."""
    return _load(_ORGANIZATION, tree)


def read_operation_outcome(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Answers the issues of an OperationOutcome; raises ValueError when it is none."""
    return _load(_OUTCOME, tree)


def _load(schema: Schema, tree: Mapping[str, Any]) -> dict[str, Any]:
    try:
        loaded = schema.load(tree)
    except ValidationError as error:
        wrong = ", ".join(sorted(map(str, error.messages_dict)))
        raise ValueError(f"wrong or missing fields: {wrong}") from None
    return dict(loaded)
