"""Where a request finds the parts that its application was built with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from flask import Flask, current_app

from service.runtime import Runtime
from service.web.arrivals import Arrivals
from service.web.background import BackgroundPool

_KEY = "rollcall"


@dataclass(frozen=True, slots=True)
class Parts:
    """What every request may use."""

    runtime: Runtime
    pool: BackgroundPool
    arrivals: Arrivals = field(default_factory=Arrivals)


def keep_parts(app: Flask, parts: Parts) -> None:
    """Put the parts where requests find them."""
    app.extensions[_KEY] = parts


def load_parts(app: Flask) -> Parts:
    """Answer the parts that an application was built with."""
    return cast(Parts, app.extensions[_KEY])


def find_runtime() -> Runtime:
    """Answer the runtime of the application that serves this request."""
    return load_parts(current_app).runtime


def find_pool() -> BackgroundPool:
    """Answer the background pool of the application that serves this request."""
    return load_parts(current_app).pool


def find_arrivals() -> Arrivals:
    """Answer the files that arrive at the application that serves this request."""
    return load_parts(current_app).arrivals
