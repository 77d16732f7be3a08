"""The wire itself, against a server that answers exactly the bytes it is told to, or breaks on the way."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from service.domain.errors import NotAllowed
from service.dpc.errors import DpcProtocolError, DpcUnavailable, OutcomeUnknown
from service.dpc.transport import Effect, Request, Transport, TransportOptions

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUICK = TransportOptions(connect_timeout_seconds=0.4, read_timeout_seconds=0.3)
OK = b"HTTP/1.1 200 OK\r\nDate: Sun, 01 Mar 2026 12:10:00 GMT\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
DRIP = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"

Speech = Callable[[socket.socket, threading.Event], None]


def say(answer: bytes) -> Speech:
    """Sends these bytes and closes."""

    def speak(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(answer)

    return speak


def reset(connection: socket.socket, ended: threading.Event) -> None:
    """Breaks the connection hard, with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def stay_silent(connection: socket.socket, ended: threading.Event) -> None:
    """Reads the request and never answers."""
    ended.wait(5)


def drip(connection: socket.socket, ended: threading.Event) -> None:
    """Sends a body in drops, each within the socket's time-out."""
    connection.sendall(DRIP)
    while not ended.wait(0.05):
        connection.sendall(b" ")


class ScriptedServer:
    """Gives one speech per connection, in order, the last one for ever; remembers the requests it read."""

    def __init__(self, *speeches: Speech, certificate: Path | None = None) -> None:
        self.requests: list[bytes] = []
        self._speeches = speeches
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self._tls and certificate:
            self._tls.load_cert_chain(certificate)
        self._ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._serve)]

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            number = len(self.requests)
            self.requests.append(b"")
            thread = threading.Thread(target=self._answer, args=(connection, number))
            self._threads.append(thread)
            thread.start()

    def _answer(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                self.requests[number] = connection.recv(65536)
                self._speeches[min(number, len(self._speeches) - 1)](connection, self._ended)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key with a certificate that only vouches for itself, for two names and the loopback address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dpc.invalid")])
    names = [x509.DNSName("dpc.invalid"), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(private + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def slept() -> list[float]:
    """The pauses that the transport asked for."""
    return []


@pytest.fixture
def open_transport(slept: list[float]) -> Iterator[Callable[..., Transport]]:
    """Builds transports, and closes them in the end."""
    opened: list[Transport] = []

    def build(origin: str, options: TransportOptions = QUICK) -> Transport:
        transport = Transport([origin], clock=lambda: NOW, options=options, sleep=slept.append)
        opened.append(transport)
        return transport

    yield build
    for transport in opened:
        transport.close()


def build_request(origin: str, effect: Effect) -> Request:
    if effect is Effect.READ:
        return Request("GET", origin + "/x", effect, {"Authorization": "Bearer secret"})
    return Request("POST", origin + "/x", effect, {"Authorization": "Bearer secret"}, b"{}")


BREAKS = [
    reset,
    say(b""),
    say(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"),
    say(b"nonsense\r\n\r\n"),
    stay_silent,
    drip,
]


@pytest.mark.parametrize("speech", BREAKS)
def test_a_write_that_breaks_after_it_was_sent_is_an_open_question_and_sent_once(
    speech: Speech, open_transport: Callable[..., Transport], slept: list[float]
) -> None:
    with ScriptedServer(speech) as server:
        transport = open_transport(server.origin)
        with pytest.raises(OutcomeUnknown) as caught:
            transport.send(build_request(server.origin, Effect.WRITE))
        assert len(server.requests) == transport.request_count == 1
    assert slept == []
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("speech", BREAKS)
def test_a_read_that_breaks_is_repeated_three_times_with_growing_jitter(
    speech: Speech, open_transport: Callable[..., Transport], slept: list[float]
) -> None:
    with ScriptedServer(speech) as server:
        transport = open_transport(server.origin)
        with pytest.raises(DpcUnavailable):
            transport.send(build_request(server.origin, Effect.READ))
        assert len(server.requests) == transport.request_count == 3
    assert len(slept) == 2
    assert 0 <= slept[0] <= 1
    assert 0 <= slept[1] <= 2


def test_a_read_that_heals_answers(open_transport: Callable[..., Transport]) -> None:
    unwell = say(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    with ScriptedServer(reset, unwell, say(OK)) as server:
        answer = open_transport(server.origin).send(build_request(server.origin, Effect.READ))
        assert (answer.status, answer.body) == (200, b"{}")
        assert len(server.requests) == 3


def test_a_request_for_a_token_is_sent_once_and_never_an_open_question(
    open_transport: Callable[..., Transport],
) -> None:
    with ScriptedServer(reset) as server:
        with pytest.raises(DpcUnavailable):
            open_transport(server.origin).send(build_request(server.origin, Effect.ASK))
        assert len(server.requests) == 1


def find_closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_a_write_that_found_no_connection_took_no_effect(open_transport: Callable[..., Transport]) -> None:
    origin = find_closed_port()
    with pytest.raises(DpcUnavailable):
        open_transport(origin).send(build_request(origin, Effect.WRITE))


def test_a_write_to_a_name_that_does_not_exist_took_no_effect(
    open_transport: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_nothing(*arguments: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", find_nothing)
    with pytest.raises(DpcUnavailable):
        open_transport("https://dpc.invalid").send(build_request("https://dpc.invalid", Effect.WRITE))


def test_a_name_that_leads_into_the_private_network_gets_no_byte_of_the_request(
    open_transport: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    speech = say(OK)
    with ScriptedServer(speech, certificate=certificate) as server:
        port = int(server.origin.rpartition(":")[2])
        inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: inside)
        transport = open_transport(f"https://dpc.invalid:{port}")
        transport._session.verify = str(certificate)
        with pytest.raises(NotAllowed):
            transport.send(build_request(f"https://dpc.invalid:{port}", Effect.WRITE))
        assert server.requests == [b""]


@pytest.mark.parametrize("speech", [say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), reset, stay_silent])
def test_a_write_whose_tls_handshake_fails_took_no_effect(
    speech: Speech, open_transport: Callable[..., Transport]
) -> None:
    with ScriptedServer(speech) as server:
        origin = server.origin.replace("http:", "https:")
        with pytest.raises(DpcUnavailable):
            open_transport(origin).send(build_request(origin, Effect.WRITE))
        assert b"secret" not in b"".join(server.requests)


def test_no_environment_variable_sends_requests_elsewhere(
    open_transport: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", find_closed_port())
    monkeypatch.setenv("NO_PROXY", "")
    with ScriptedServer(say(OK)) as server:
        assert open_transport(server.origin).send(build_request(server.origin, Effect.READ)).status == 200


def test_a_redirection_is_an_answer_and_is_not_followed(open_transport: Callable[..., Transport]) -> None:
    with ScriptedServer(say(OK)) as elsewhere:
        moved = f"HTTP/1.1 307 Moved\r\nLocation: {elsewhere.origin}/\r\nContent-Length: 0\r\n\r\n".encode()
        with ScriptedServer(say(moved)) as server:
            answer = open_transport(server.origin).send(build_request(server.origin, Effect.WRITE))
        assert answer.status == 307
        assert elsewhere.requests == []


def test_a_foreign_origin_is_refused_before_anything_is_connected(
    open_transport: Callable[..., Transport],
) -> None:
    with ScriptedServer(say(OK)) as server, ScriptedServer(say(OK)) as foreign:
        transport = open_transport(server.origin)
        with pytest.raises(NotAllowed):
            transport.send(build_request(foreign.origin, Effect.READ))
        assert foreign.requests == []
        assert transport.request_count == 0


@pytest.mark.parametrize(("effect", "expected"), [(Effect.READ, DpcProtocolError), (Effect.WRITE, OutcomeUnknown)])
def test_an_answer_beyond_the_limit_is_not_read_to_its_end(
    effect: Effect, expected: type[Exception], open_transport: Callable[..., Transport]
) -> None:
    options = TransportOptions(read_timeout_seconds=1, answer_limit_bytes=1000)
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b" " * 100000
    with ScriptedServer(say(large)) as server:
        with pytest.raises(expected):
            open_transport(server.origin, options).send(build_request(server.origin, effect))
        assert len(server.requests) == 1


def test_the_servers_clock_is_learned_from_any_answer(open_transport: Callable[..., Transport]) -> None:
    with ScriptedServer(say(OK)) as server:
        transport = open_transport(server.origin)
        assert transport.clock_offset is None
        assert transport.read_server_now() == NOW
        transport.send(build_request(server.origin, Effect.READ))
    assert transport.clock_offset == timedelta(minutes=10)
    assert transport.read_server_now() == NOW + timedelta(minutes=10)


def test_a_certificate_that_nobody_vouches_for_is_refused_whatever_the_environment_says(
    open_transport: Callable[..., Transport], monkeypatch: pytest.MonkeyPatch, certificate: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("CURL_CA_BUNDLE", "")
    with ScriptedServer(say(OK), certificate=certificate) as server:
        origin = server.origin.replace("http:", "https:")
        with pytest.raises(DpcUnavailable):
            open_transport(origin).send(build_request(origin, Effect.WRITE))
        assert server.requests == [b""]
