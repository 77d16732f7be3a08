"""Who a patient is, and the bytes of it that are sealed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from json.encoder import encode_basestring as quote

from service.domain.demographics import is_registrable_patient


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """Who a patient is, as far as a feed has said."""

    mbi: str = field(repr=False)
    given: str | None = field(default=None, repr=False)
    family: str | None = field(default=None, repr=False)
    birth_on: date | None = field(default=None, repr=False)
    gender: str | None = field(default=None, repr=False)

    def is_described(self) -> bool:
        """Answer whether all is known without which DPC registers nobody, in a form that it takes."""
        return is_registrable_patient(self.given, self.family, self.birth_on, self.gender)


def write_identity(identity: PatientIdentity) -> bytes:
    """Write the JSON of an identity, the same bytes for the same identity."""
    given = quote(identity.given) if identity.given is not None else "null"
    family = quote(identity.family) if identity.family is not None else "null"
    birth_on = f'"{identity.birth_on.isoformat()}"' if identity.birth_on else "null"
    gender = quote(identity.gender) if identity.gender is not None else "null"
    return (
        f'{{"mbi": {quote(identity.mbi)}, "given": {given}, "family": {family}, '
        f'"birth_on": {birth_on}, "gender": {gender}}}'
    ).encode()


def read_identity(body: bytes) -> PatientIdentity:
    read = json.loads(body.decode())
    birth_on = date.fromisoformat(read["birth_on"]) if read["birth_on"] else None
    return PatientIdentity(read["mbi"], read["given"], read["family"], birth_on, read["gender"])
