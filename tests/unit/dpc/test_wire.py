"""Only plain https addresses are spoken to, and names must not lead into the private network."""

from __future__ import annotations

import pytest

from service.domain.errors import NotAllowed
from service.dpc.transport import read_origin
from service.dpc.wire import check_peer, is_loopback


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://sandbox.dpc.cms.gov/api/v1", "https://sandbox.dpc.cms.gov:443"),
        ("HTTPS://Sandbox.DPC.cms.gov:443", "https://sandbox.dpc.cms.gov:443"),
        ("http://127.0.0.1:3002/api/v1", "http://127.0.0.1:3002"),
        ("http://localhost", "http://localhost:80"),
        ("http://[::1]:3002/", "http://[::1]:3002"),
    ],
)
def test_an_address_has_one_origin_however_it_is_spelt(url: str, origin: str) -> None:
    assert read_origin(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "http://sandbox.dpc.cms.gov/api/v1",
        "https://somebody@sandbox.dpc.cms.gov",
        "https://sandbox.dpc.cms.gov:port",
        "https://sandbox.dpc.cms.gov/#fragment",
        "ftp://127.0.0.1",
        "https://",
        "sandbox.dpc.cms.gov",
        "http://127.0.0.1.example.org/",
    ],
)
def test_an_address_that_is_not_plain_https_is_refused(url: str) -> None:
    with pytest.raises(NotAllowed):
        read_origin(url)


@pytest.mark.parametrize(
    ("host", "peer"),
    [("localhost", "127.0.0.1"), ("::1", "::1"), ("api.example.org", "8.8.8.8"), ("localhost", "::ffff:127.0.0.1")],
)
def test_a_peer_of_the_right_kind_passes(host: str, peer: str) -> None:
    check_peer(host, peer)


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("api.example.org", "127.0.0.1"),
        ("api.example.org", "10.0.0.5"),
        ("api.example.org", "169.254.169.254"),
        ("api.example.org", "fe80::1%eth0"),
        ("api.example.org", "::ffff:192.168.1.1"),
        ("localhost", "8.8.8.8"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(host: str, peer: str) -> None:
    with pytest.raises(NotAllowed):
        check_peer(host, peer)


def test_only_this_machine_is_loopback() -> None:
    assert is_loopback("LOCALHOST")
    assert is_loopback("127.8.9.1")
    assert not is_loopback("localhost.example.org")
