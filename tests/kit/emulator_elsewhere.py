"""DPC at an address given on the command line: nothing but the public API, an organisation of ours, no control."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from emulator_customer import Customer, build_key_pair_of
from requests.adapters import HTTPAdapter

from service.emulator.server import Emulator

BUDGET, WINDOW = 290, 300.0


@dataclass(frozen=True)
class Elsewhere:
    """As much of an emulator as an address can stand for."""

    v1_url: str

    def now(self) -> datetime:
        return datetime.now(UTC)


class Paced(HTTPAdapter):
    """Stays within the firewall's budget of a server that is not on this machine (contract-v1 1.1)."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: deque[float] = deque(maxlen=BUDGET)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        host = urlsplit(request.url or "").hostname
        if host not in ("127.0.0.1", "localhost") and len(self.sent) == BUDGET:
            time.sleep(max(0.0, self.sent[0] + WINDOW - time.monotonic()))
        self.sent.append(time.monotonic())
        return super().send(request, *args, **options)


def admit(place: Elsewhere) -> Customer:
    """The organisation of the credentials in the environment, logged in; it must be empty, for it will be emptied."""
    private = load_pem_private_key(Path(os.environ["DPC_PRIVATE_KEY_FILE"]).read_bytes(), None)
    key = build_key_pair_of(cast(RSAPrivateKey, private))
    customer = Customer(
        cast(Emulator, place), "", os.environ["DPC_CLIENT_TOKEN"].strip(), os.environ["DPC_KEY_ID"].strip(), key
    )
    for scheme in ("http://", "https://"):
        customer.session.mount(scheme, Paced())
    customer.log_in()
    bundle: dict[str, Any] = customer.send("GET", "/Organization").json()
    customer.organization_id = bundle["entry"][0]["resource"]["id"]
    held = [path for kind in ("Practitioner", "Patient") for path in list_resources(customer, kind)]
    assert not held, f"the organisation holds {len(held)} resources; aim this suite only at an empty one"
    return customer


def list_resources(customer: Customer, kind: str) -> list[str]:
    bundle = customer.send("GET", f"/{kind}").json()
    return [f"/{kind}/{entry['resource']['id']}" for entry in bundle.get("entry", [])]


def sweep(customer: Customer) -> None:
    """Delete what a test has left; Groups go with their practitioners."""
    for kind in ("Practitioner", "Patient"):
        for path in list_resources(customer, kind):
            assert customer.send("DELETE", path).status_code == 200
