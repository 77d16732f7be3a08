"""The door for a WSGI server: gunicorn 'service.web.wsgi:build_wsgi_app()'."""

from __future__ import annotations

import os

from flask import Flask

from service.runtime import build_runtime
from service.settings import load_settings
from service.web.app import create_app


def build_wsgi_app() -> Flask:
    """Read the environment once and build the application; raises SettingsWrong with every mistake."""
    return create_app(build_runtime(load_settings(os.environ)))
