"""Settings: defaults, files before plain values, and every mistake reported at once."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from service.settings import (
    PREFIX,
    PUBLIC_DPC_ORIGINS,
    SETTINGS,
    Setting,
    Settings,
    SettingsWrong,
    is_dpc_origin,
    load_settings,
)


def build_key(byte: int) -> str:
    return base64.b64encode(bytes([byte]) * 32).decode()


NEEDED = {
    "ROLLCALL_MASTER_KEY": build_key(1),
    "ROLLCALL_INDEX_KEY": build_key(2),
    "ROLLCALL_CHECKPOINT_KEY": build_key(3),
    "ROLLCALL_SECRET_KEY": "s" * 32,
}


def test_four_secrets_are_enough_and_all_else_has_a_default() -> None:
    settings = load_settings(NEEDED)
    assert settings == Settings(
        data_dir=Path("rollcall-data"),
        database_url="sqlite:///rollcall-data/rollcall.db",
        master_key=b"\x01" * 32,
        index_key=b"\x02" * 32,
        checkpoint_key=b"\x03" * 32,
        secret_key="s" * 32,
        allowed_dpc_origins=PUBLIC_DPC_ORIGINS,
        engine="local",
        log_format="text",
        clock="system",
        deadman_url=None,
        read_timeout_seconds=45,
        quiesce_seconds=90,
        trusted_hosts=("localhost", "127.0.0.1"),
        secure_cookies=True,
    )
    assert settings.uploads_dir == Path("rollcall-data/deliveries")


def test_every_setting_can_be_set() -> None:
    settings = load(
        DATA_DIR="there",
        DATABASE_URL="postgresql://db/rollcall",
        ALLOWED_DPC_ORIGINS="https://sandbox.dpc.cms.gov, http://127.0.0.1:3002",
        ENGINE="local",
        LOG_FORMAT="json",
        CLOCK="emulator:http://127.0.0.1:3002",
        DEADMAN_URL="https://monitor.example/x",
        READ_TIMEOUT="30",
        QUIESCE="120",
        TRUSTED_HOSTS="rollcall.example,localhost",
        SECURE_COOKIES="no",
    )
    assert settings.data_dir == Path("there")
    assert settings.database_url == "postgresql+psycopg://db/rollcall"
    assert settings.allowed_dpc_origins == ("https://sandbox.dpc.cms.gov", "http://127.0.0.1:3002")
    assert (settings.log_format, settings.clock) == ("json", "emulator:http://127.0.0.1:3002")
    assert (settings.read_timeout_seconds, settings.quiesce_seconds) == (30, 120)
    assert settings.trusted_hosts == ("rollcall.example", "localhost")
    assert (settings.deadman_url, settings.secure_cookies) == ("https://monitor.example/x", False)


def test_an_empty_value_is_no_value() -> None:
    empty = {f"{PREFIX}{s.name}": "  " for s in SETTINGS if not s.is_required}
    assert load_settings(NEEDED | empty) == load_settings(NEEDED)


def test_a_file_wins_over_a_plain_value_and_its_line_end_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "master"
    file.write_text(build_key(9) + "\n", encoding="utf-8")
    assert load(MASTER_KEY_FILE=str(file)).master_key == b"\x09" * 32
    alone = {k: v for k, v in NEEDED.items() if k != "ROLLCALL_MASTER_KEY"}
    assert load_settings(alone | {"ROLLCALL_MASTER_KEY_FILE": str(file)}).master_key == b"\x09" * 32


def test_any_setting_may_come_from_a_file() -> None:
    texts = {s.name: f"value of {s.name}" for s in SETTINGS}
    environ = {f"{PREFIX}{s.name}_FILE": s.name for s in SETTINGS}
    asked: list[str] = []

    def read_text(path: str) -> str:
        asked.append(path)
        return texts[path]

    with pytest.raises(SettingsWrong):
        load_settings(environ, read_text)
    assert asked == list(texts)


def test_a_file_that_cannot_be_read_is_a_mistake_even_when_a_plain_value_stands_beside_it(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\xfd")
    absent = tmp_path / "absent"
    assert find_mistakes(MASTER_KEY_FILE=str(absent), INDEX_KEY_FILE=str(binary)) == (
        "ROLLCALL_MASTER_KEY_FILE names a file that cannot be read.",
        "ROLLCALL_INDEX_KEY_FILE names a file that cannot be read.",
    )


def test_a_name_that_is_no_setting_is_refused_and_other_programs_names_are_left_alone() -> None:
    environ = {"ROLLCALL_MASTERKEY": "x", "ROLLCALL_": "x", "ROLLCALL_X_FILE": "x", "PATH": "x", "MASTER_KEY": "x"}
    with pytest.raises(SettingsWrong) as caught:
        load_settings(NEEDED | environ)
    assert [m.split()[0] for m in caught.value.mistakes] == ["ROLLCALL_MASTERKEY", "ROLLCALL_", "ROLLCALL_X_FILE"]


@pytest.mark.parametrize("name", ["OIDC_ISSUER", "SMTP_HOST", "WEBHOOK_URL", "SMTP_PASSWORD_FILE"])
def test_a_name_that_is_promised_for_later_is_refused_rather_than_silently_ignored(name: str) -> None:
    (mistake,) = find_mistakes(**{name: "x"})
    assert mistake.startswith(f"{PREFIX}{name} belongs to something that this version does not have yet")


def test_every_mistake_is_reported_at_once() -> None:
    with pytest.raises(SettingsWrong) as caught:
        load_settings(
            {
                "ROLLCALL_MASTER_KEY": "short",
                "ROLLCALL_SECRET_KEY": "short",
                "ROLLCALL_DATABASE_URL": "mysql://db",
                "ROLLCALL_ENGINE": "celery",
                "ROLLCALL_LOG_FORMAT": "xml",
                "ROLLCALL_CLOCK": "sundial",
                "ROLLCALL_READ_TIMEOUT": "soon",
                "ROLLCALL_QUIESCE": "0",
                "ROLLCALL_SECURE_COOKIES": "perhaps",
                "ROLLCALL_ALLOWED_DPC_ORIGINS": "http://dpc.example",
                "ROLLCALL_COLOUR": "red",
            }
        )
    named = {mistake.split()[0].split("_", 1)[1].rstrip(":") for mistake in caught.value.mistakes}
    assert named == {
        "MASTER_KEY",
        "INDEX_KEY",
        "CHECKPOINT_KEY",
        "SECRET_KEY",
        "DATABASE_URL",
        "ENGINE",
        "LOG_FORMAT",
        "CLOCK",
        "READ_TIMEOUT",
        "QUIESCE",
        "SECURE_COOKIES",
        "ALLOWED_DPC_ORIGINS",
        "COLOUR",
    }
    assert len(caught.value.mistakes) == len(named)
    assert str(caught.value) == "; ".join(caught.value.mistakes)


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s.is_required], ids=lambda s: s.name)
def test_each_required_setting_is_missed(setting: Setting) -> None:
    name = f"{PREFIX}{setting.name}"
    with pytest.raises(SettingsWrong, match=f"{name} is missing"):
        load_settings({k: v for k, v in NEEDED.items() if k != name})


SECRET = "dGhpcyBpcyBub3QgMzIgYnl0ZXM="
MISTAKES: dict[str, Mapping[str, str]] = {
    "a key of 31 bytes": {"MASTER_KEY": base64.b64encode(b"x" * 31).decode()},
    "a key of 33 bytes": {"MASTER_KEY": base64.b64encode(b"x" * 33).decode()},
    "a key that is not base64": {"INDEX_KEY": "!" * 44},
    "a key that is not ASCII": {"CHECKPOINT_KEY": "é" * 44},
    "the same key for sealing and for the index": {"INDEX_KEY": build_key(1)},
    "a secret of 31 characters": {"SECRET_KEY": "s" * 31},
    "an engine that is not built": {"ENGINE": "procrastinate"},
    "a relative database path": {"DATABASE_URL": "sqlite://rollcall.db"},
    "a wait of no time": {"READ_TIMEOUT": "0"},
    "a wait of more than an hour": {"QUIESCE": "3601"},
    "a wait in other digits": {"QUIESCE": "٣٠"},
    "a wait with a unit": {"READ_TIMEOUT": "45s"},
    "a negative wait": {"READ_TIMEOUT": "-45"},
    "an emulated clock elsewhere": {"CLOCK": "emulator:http://dpc.example:3002"},
    "an emulated clock without address": {"CLOCK": "emulator:"},
    "an emulated clock at a broken address": {"CLOCK": "emulator:http://[::1"},
    "one bad origin among good ones": {"ALLOWED_DPC_ORIGINS": "https://sandbox.dpc.cms.gov,ftp://x"},
    "a broken origin": {"ALLOWED_DPC_ORIGINS": "https://[::1"},
}


@pytest.mark.parametrize("what", MISTAKES)
def test_exactly_one_mistake_is_found_in(what: str) -> None:
    (mistake,) = find_mistakes(**MISTAKES[what])
    assert mistake.startswith(PREFIX + next(iter(MISTAKES[what])))


ORIGINS = {
    "https://sandbox.dpc.cms.gov": True,
    "https://dpc.example:8443": True,
    "http://127.0.0.1:3002": True,
    "http://localhost": True,
    "http://[::1]:3002": True,
    "http://dpc.example": False,
    "http://127.0.0.1.example": False,
    "https://dpc.example/": False,
    "https://dpc.example/api": False,
    "https://dpc.example?x": False,
    "https://dpc.example#x": False,
    "https://user@dpc.example": False,
    "https://user:pass@dpc.example": False,
    "https://": False,
    "https://:443": False,
    "https://dpc.example:port": False,
    "https://dpc.example:99999": False,
    "https://[::1": False,
    "ftp://dpc.example": False,
    "dpc.example": False,
    "": False,
}


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_origin_is_a_scheme_a_host_and_a_port_and_plain_http_only_on_loopback(origin: str) -> None:
    assert is_dpc_origin(origin) is ORIGINS[origin]


def test_settings_never_show_a_key_and_cannot_be_changed() -> None:
    settings = load_settings(NEEDED)
    for secret in ("\\x01", "\\x02", "\\x03", "ssss"):
        assert secret not in repr(settings)
    with pytest.raises(FrozenInstanceError):
        settings.engine = "other"  # type: ignore[misc]


def test_no_mistake_repeats_a_secret() -> None:
    mistakes = find_mistakes(MASTER_KEY=SECRET, INDEX_KEY=SECRET, SECRET_KEY="a-short-one")
    assert mistakes
    assert not any(SECRET in mistake or "a-short-one" in mistake for mistake in mistakes)


def test_every_setting_says_what_it_is_for() -> None:
    assert all(setting.purpose.endswith(".") for setting in SETTINGS)
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def load(**changed: str) -> Settings:
    return load_settings(NEEDED | {f"{PREFIX}{name}": value for name, value in changed.items()})


def find_mistakes(**changed: str) -> tuple[str, ...]:
    with pytest.raises(SettingsWrong) as caught:
        load(**changed)
    return caught.value.mistakes
