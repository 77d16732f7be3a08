"""Connections that remember whether a byte of the request was written, and check whom they reached before writing."""

from __future__ import annotations

import ipaddress
import threading
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from service.domain.errors import NotAllowed

_thread = threading.local()


def forget_written() -> None:
    """Starts a new request on this thread: nothing of it has been written yet."""
    _thread.written = False


def is_written() -> bool:
    """Answers whether any byte of this thread's current request may have left the machine."""
    return bool(getattr(_thread, "written", True))


def is_loopback(host: str) -> bool:
    """Answers whether the host name means this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_peer(host: str, peer: str) -> None:
    """Raises NotAllowed when a name led to an address that its kind must not lead to (server-side request forgery)."""
    address = ipaddress.ip_address(peer.split("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    if mapped.is_loopback if is_loopback(host) else mapped.is_global:
        return
    raise NotAllowed(
        "The name of the DPC server leads to an address inside a private network.",
        next_action="Check the name service of this host; nothing was sent.",
    )


def _mark(connection: HTTPConnection) -> None:
    if connection.sock is None:
        connection.connect()
    peer = connection.sock.getpeername()
    check_peer(connection.host, str(peer[0]))
    _thread.written = True


class _Connection(HTTPConnection):
    def send(self, data: Any) -> None:
        _mark(self)
        super().send(data)


class _SecureConnection(HTTPSConnection):
    def send(self, data: Any) -> None:
        _mark(self)
        super().send(data)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class WatchedAdapter(HTTPAdapter):
    """An adapter of `requests` without any retries, on connections that remember what was written."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        """Builds the pools, with our two kinds of connections."""
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
