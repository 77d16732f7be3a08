"""Settings: frozen, built from a mapping (the environment, read once at the door), all mistakes reported at once."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

PREFIX = "ROLLCALL_"
KEY_BYTES = 32
PUBLIC_DPC_ORIGINS = ("https://sandbox.dpc.cms.gov", "https://prod.dpc.cms.gov")


class SettingsWrong(Exception):
    """One or more settings cannot be used; `mistakes` lists each in one sentence."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment decides. Keys are 32 bytes each and never shown."""

    data_dir: Path
    database_url: str
    master_key: bytes = field(repr=False)
    index_key: bytes = field(repr=False)
    checkpoint_key: bytes = field(repr=False)
    secret_key: str = field(repr=False)
    allowed_dpc_origins: tuple[str, ...] = PUBLIC_DPC_ORIGINS
    engine: str = "local"
    log_format: str = "text"
    clock: str = "system"
    deadman_url: str | None = None
    read_timeout_seconds: int = 45
    quiesce_seconds: int = 90
    trusted_hosts: tuple[str, ...] = ("localhost", "127.0.0.1")
    secure_cookies: bool = True

    @property
    def uploads_dir(self) -> Path:
        """Where sealed raw files are kept."""
        return self.data_dir / "deliveries"


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment name, what it is for, and whether a start needs it."""

    name: str
    purpose: str
    is_required: bool = False


SETTINGS = (
    Setting("DATA_DIR", "Folder for sealed roster files and the default database; default: ./rollcall-data."),
    Setting("DATABASE_URL", "SQLite or PostgreSQL; default: rollcall.db in DATA_DIR."),
    Setting("MASTER_KEY", "32 bytes in base64; seals the data keys. Losing it loses the data.", True),
    Setting("INDEX_KEY", "32 bytes in base64; keys the index over MBIs. Treat a leak as a leak of all MBIs.", True),
    Setting("CHECKPOINT_KEY", "32 bytes in base64 (Ed25519 seed); signs ledger checkpoints.", True),
    Setting("SECRET_KEY", "At least 32 characters; signs web forms.", True),
    Setting("ALLOWED_DPC_ORIGINS", "Origins that may be called, by commas; default: CMS's sandbox and production."),
    Setting("ENGINE", "local; procrastinate is planned for several workers."),
    Setting("LOG_FORMAT", "text or json."),
    Setting("CLOCK", "system, or emulator:http://127.0.0.1:PORT to follow the emulator's clock (trials only)."),
    Setting("DEADMAN_URL", "An outside monitor that is pinged after each finished night."),
    Setting("READ_TIMEOUT", "Seconds to wait for an answer of DPC; default 45."),
    Setting("QUIESCE", "Seconds to wait after an unanswered write before reading back; default 90."),
    Setting("TRUSTED_HOSTS", "Host names under which the pages are served, by commas; default localhost,127.0.0.1."),
    Setting("SECURE_COOKIES", "yes or no; no is for trials over plain http on loopback only."),
)

_UNBUILT = frozenset({"procrastinate"})
_PLANNED = ("OIDC_", "SMTP_", "WEBHOOK_")


def load_settings(environ: Mapping[str, str], read_text: Callable[[str], str] | None = None) -> Settings:
    """Build Settings from environment variables; `NAME_FILE` wins. Raises SettingsWrong with all mistakes."""
    mistakes: list[str] = []
    values = _gather(environ, read_text or _read_text, mistakes)
    reader = _Reader(values, mistakes)
    data_dir = Path(values.get("DATA_DIR") or "rollcall-data").expanduser()
    settings = Settings(
        data_dir=data_dir,
        database_url=reader.database_url(data_dir),
        master_key=reader.key("MASTER_KEY"),
        index_key=reader.key("INDEX_KEY"),
        checkpoint_key=reader.key("CHECKPOINT_KEY"),
        secret_key=reader.secret("SECRET_KEY"),
        allowed_dpc_origins=reader.origins(),
        engine=reader.choice("ENGINE", ("local", "procrastinate")),
        log_format=reader.choice("LOG_FORMAT", ("text", "json")),
        clock=reader.clock(),
        deadman_url=values.get("DEADMAN_URL") or None,
        read_timeout_seconds=reader.seconds("READ_TIMEOUT", 45),
        quiesce_seconds=reader.seconds("QUIESCE", 90),
        trusted_hosts=reader.names("TRUSTED_HOSTS", ("localhost", "127.0.0.1")),
        secure_cookies=reader.choice("SECURE_COOKIES", ("yes", "no")) == "yes",
    )
    if settings.master_key and settings.master_key == settings.index_key:
        mistakes.append(f"{PREFIX}INDEX_KEY must differ from {PREFIX}MASTER_KEY.")
    if mistakes:
        raise SettingsWrong(mistakes)
    return settings


def _read_text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def _gather(environ: Mapping[str, str], read_text: Callable[[str], str], mistakes: list[str]) -> dict[str, str]:
    known = {s.name for s in SETTINGS}
    plain: dict[str, str] = {}
    from_file: dict[str, str] = {}
    for full, value in environ.items():
        name = full.removeprefix(PREFIX)
        if not full.startswith(PREFIX):
            continue
        if name in known:
            plain[name] = value.strip()
        elif name.removesuffix("_FILE") in known:
            try:
                from_file[name.removesuffix("_FILE")] = read_text(value).strip()
            except (OSError, UnicodeDecodeError):
                mistakes.append(f"{full} names a file that cannot be read.")
        elif name.startswith(_PLANNED):
            mistakes.append(f"{full} belongs to something that this version does not have yet; leave it out.")
        else:
            mistakes.append(f"{full} is not a setting; `rollcall doctor` lists them all.")
    return plain | from_file


class _Reader:
    """Reads single values and collects every mistake instead of stopping at the first."""

    def __init__(self, values: Mapping[str, str], mistakes: list[str]) -> None:
        self.values = values
        self.mistakes = mistakes

    def key(self, name: str) -> bytes:
        text = self.values.get(name, "")
        if not text:
            self.mistakes.append(f"{PREFIX}{name} is missing: it must be {KEY_BYTES} bytes in base64.")
            return b""
        try:
            key = base64.b64decode(text, validate=True)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            self.mistakes.append(f"{PREFIX}{name} must be {KEY_BYTES} bytes in base64.")
        return key

    def secret(self, name: str) -> str:
        text = self.values.get(name, "")
        if len(text) < KEY_BYTES:
            self.mistakes.append(f"{PREFIX}{name} is missing or shorter than {KEY_BYTES} characters.")
        return text

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.values.get(name) or choices[0]
        if value not in choices:
            self.mistakes.append(f"{PREFIX}{name} must be one of: {', '.join(choices)}.")
        elif value in _UNBUILT:
            self.mistakes.append(f"{PREFIX}{name}={value} is not available in this version; leave it at {choices[0]}.")
        return value

    def seconds(self, name: str, default: int) -> int:
        text = self.values.get(name) or str(default)
        if not (text.isascii() and text.isdigit() and 0 < int(text) <= 3600):
            self.mistakes.append(f"{PREFIX}{name} must be a whole number of seconds from 1 to 3600.")
            return default
        return int(text)

    def names(self, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.values.get(name, "").split(",") if part.strip()) or default

    def origins(self) -> tuple[str, ...]:
        origins = self.names("ALLOWED_DPC_ORIGINS", PUBLIC_DPC_ORIGINS)
        for origin in origins:
            if not is_dpc_origin(origin):
                self.mistakes.append(
                    f"{PREFIX}ALLOWED_DPC_ORIGINS: {origin} is not an origin such as https://sandbox.dpc.cms.gov"
                    " (plain http is for loopback only)."
                )
        return origins

    def clock(self) -> str:
        clock = self.values.get("CLOCK") or "system"
        follows = clock.removeprefix("emulator:")
        if clock != "system" and not (clock.startswith("emulator:") and _is_loopback_origin(follows)):
            self.mistakes.append(f"{PREFIX}CLOCK must be system, or emulator:http://127.0.0.1:PORT.")
        return clock

    def database_url(self, data_dir: Path) -> str:
        url = self.values.get("DATABASE_URL") or f"sqlite:///{data_dir / 'rollcall.db'}"
        if url.startswith("postgresql://"):
            url = url.replace("postgresql://", "postgresql+psycopg://", 1)
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            self.mistakes.append(f"{PREFIX}DATABASE_URL must begin with sqlite:/// or postgresql://.")
        return url


def is_dpc_origin(origin: str) -> bool:
    """True for scheme://host[:port] with nothing behind it; plain http only on loopback."""
    parts = _split_address(origin)
    if parts is None:
        return False
    bare = f"{parts.scheme}://{parts.netloc}" == origin and bool(parts.hostname) and "@" not in parts.netloc
    return bare and (parts.scheme == "https" or _is_loopback_origin(origin))


def _is_loopback_origin(origin: str) -> bool:
    parts = _split_address(origin)
    if parts is None:
        return False
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1") and not parts.path


def _split_address(text: str) -> SplitResult | None:
    """Answer the parts of an address; None when its host or port cannot be read."""
    try:
        parts = urlsplit(text)
        return parts if parts.port is None or parts.port else None
    except ValueError:
        return None
