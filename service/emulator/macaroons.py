"""Macaroons as DPC writes them: minting, extending, discharging, reading and verifying (contract-v1 4.7)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

_GENERATOR = b"macaroons-key-generator"
_ZEROS = bytes(32)


class UnreadableMacaroon(ValueError):
    """The text is no macaroon in any of the accepted forms."""


@dataclass(frozen=True, slots=True)
class Caveat:
    """One caveat; third-party ones carry a verification id and a location."""

    cid: bytes
    vid: bytes | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Macaroon:
    """A macaroon; `identifier` is raw bytes, `signature` 32 of them."""

    identifier: bytes
    signature: bytes
    caveats: tuple[Caveat, ...] = ()
    location: str | None = None

    def find_values(self, key: str) -> list[str]:
        """The values of all first-party caveats `key = value`."""
        pairs = (read_pair(caveat.cid) for caveat in self.caveats if caveat.vid is None)
        return [value for name, value in pairs if name == key]


def read_pair(cid: bytes) -> tuple[str, str]:
    """Key and value of a first-party caveat; a text of another form gives an empty key."""
    name, separator, value = cid.decode("utf-8", "replace").partition(" = ")
    return (name, value) if separator else ("", "")


def _sign(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _sign_caveat(signature: bytes, caveat: Caveat) -> bytes:
    if caveat.vid is None:
        return _sign(signature, caveat.cid)
    return _sign(signature, _sign(signature, caveat.vid) + _sign(signature, caveat.cid))


def mint(root_key: bytes, identifier: str, location: str) -> Macaroon:
    """A fresh macaroon without caveats."""
    raw = identifier.encode()
    return Macaroon(raw, _sign(_sign(_GENERATOR, root_key), raw), location=location)


def add_caveat(macaroon: Macaroon, text: str) -> Macaroon:
    """The macaroon narrowed by one first-party caveat; needs no key."""
    return _extend(macaroon, Caveat(text.encode()))


def add_local_caveat(macaroon: Macaroon) -> Macaroon:
    """The macaroon with DPC's third-party caveat, whose contents are opaque to everybody."""
    return _extend(macaroon, Caveat(secrets.token_bytes(180), secrets.token_bytes(72), "local"))


def _extend(macaroon: Macaroon, caveat: Caveat) -> Macaroon:
    signature = _sign_caveat(macaroon.signature, caveat)
    return replace(macaroon, caveats=(*macaroon.caveats, caveat), signature=signature)


def build_discharge(root_key: bytes, macaroon: Macaroon, cid: bytes) -> Macaroon:
    """The discharge of one third-party caveat, bound to `macaroon` as it is now."""
    caveat_key = _sign(root_key, cid)
    own = _sign(_sign(_GENERATOR, caveat_key), cid)
    bound = _sign(_ZEROS, _sign(_ZEROS, macaroon.signature) + _sign(_ZEROS, own))
    return Macaroon(cid, bound)


def is_genuine(root_key: bytes, tokens: Sequence[Macaroon]) -> bool:
    """Whether the first macaroon was minted with `root_key` and the others discharge it, bound to it."""
    first = tokens[0]
    signature = _sign(_sign(_GENERATOR, root_key), first.identifier)
    for caveat in first.caveats:
        signature = _sign_caveat(signature, caveat)
    expected = {c.cid: build_discharge(root_key, first, c.cid).signature for c in first.caveats if c.vid is not None}
    given = {discharge.identifier: discharge.signature for discharge in tokens[1:]}
    return hmac.compare_digest(signature, first.signature) and expected == given


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))


def encode_tokens(tokens: Sequence[Macaroon]) -> str:
    """V2 JSON array, base64url with padding: the form of client and access tokens."""
    text = json.dumps([_to_json(token) for token in tokens], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode()


def _to_json(macaroon: Macaroon) -> dict[str, Any]:
    body: dict[str, Any] = {"v": 2}
    if macaroon.location is not None:
        body["l"] = macaroon.location
    body["i"] = macaroon.identifier.decode("latin-1")
    if macaroon.caveats:
        body["c"] = [_caveat_to_json(caveat) for caveat in macaroon.caveats]
    body["s64"] = _b64(macaroon.signature)
    return body


def _caveat_to_json(caveat: Caveat) -> dict[str, str]:
    if caveat.vid is None:
        return {"i64": _b64(caveat.cid)}
    return {"l": caveat.location or "", "i64": _b64(caveat.cid), "v64": _b64(caveat.vid)}


def encode_binary(macaroon: Macaroon) -> str:
    """V1 binary packets, base64url without padding: the form of the golden macaroon."""
    packets = [("location", (macaroon.location or "").encode()), ("identifier", macaroon.identifier)]
    for caveat in macaroon.caveats:
        packets.append(("cid", caveat.cid))
        if caveat.vid is not None:
            packets += [("vid", caveat.vid), ("cl", (caveat.location or "").encode())]
    packets.append(("signature", macaroon.signature))
    return _b64(b"".join(_build_packet(name.encode(), value) for name, value in packets))


def _build_packet(name: bytes, value: bytes) -> bytes:
    return b"%04x%b %b\n" % (len(name) + len(value) + 6, name, value)


def read_tokens(text: str) -> list[Macaroon]:
    """The macaroons of a token string in any accepted form. Raises UnreadableMacaroon."""
    try:
        raw = text.encode() if text[:1] in ("{", "[") else _unb64(text)
        tokens = _read_json(raw) if raw[:1] in (b"{", b"[") else [_read_binary(raw)]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as broken:
        raise UnreadableMacaroon("not a macaroon") from broken
    if not tokens:
        raise UnreadableMacaroon("no macaroon in the list")
    return tokens


def _read_json(raw: bytes) -> list[Macaroon]:
    document = json.loads(raw)
    return [_from_json(item) for item in (document if isinstance(document, list) else [document])]


def _from_json(item: dict[str, Any]) -> Macaroon:
    caveats = tuple(
        Caveat(_read_field(c, "i"), _read_field(c, "v") if "v" in c or "v64" in c else None, c.get("l"))
        for c in item.get("c", ())
    )
    return Macaroon(_read_field(item, "i"), _read_field(item, "s"), caveats, item.get("l"))


def _read_field(item: dict[str, Any], name: str) -> bytes:
    if name + "64" in item:
        return _unb64(item[name + "64"])
    text: str = item[name]
    try:
        return text.encode("latin-1")  # a discharge's binary id travels as latin-1 text
    except UnicodeEncodeError:
        return text.encode()


def _read_packets(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(raw):
        length = int(raw[position : position + 4], 16)
        if length < 6 or position + length > len(raw):
            raise ValueError("broken packet")
        name, _, value = raw[position + 4 : position + length - 1].partition(b" ")
        yield name, value
        position += length


def _read_binary(raw: bytes) -> Macaroon:
    location, identifier, signature = "", b"", b""
    caveats: list[Caveat] = []
    for name, value in _read_packets(raw):
        if name == b"location":
            location = value.decode()
        elif name == b"identifier":
            identifier = value
        elif name == b"cid":
            caveats.append(Caveat(value))
        elif name == b"vid":
            caveats[-1] = replace(caveats[-1], vid=value)
        elif name == b"cl":
            caveats[-1] = replace(caveats[-1], location=value.decode())
        elif name == b"signature":
            signature = value
    if not identifier or len(signature) != 32:
        raise ValueError("identifier or signature missing")
    return Macaroon(identifier, signature, tuple(caveats), location)
