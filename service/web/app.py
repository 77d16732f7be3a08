"""Put the application together: parts, gate, routes, errors, headers."""

from __future__ import annotations

import atexit
from pathlib import Path

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from service.runtime import Runtime
from service.web import probes
from service.web.access import check_access, open_to_all
from service.web.api.documentation import SECTIONS, register_api
from service.web.background import BackgroundPool
from service.web.deferred import submit_waiting
from service.web.errors import register_errors
from service.web.pages import register_pages
from service.web.places import Parts, keep_parts, load_parts
from service.web.security import secure_app

_HERE = Path(__file__).parent


def create_app(rt: Runtime, pool: BackgroundPool | None = None) -> Flask:
    """Build the WSGI application around a runtime.

    Deliveries that an earlier process received but did not read are read at once. The caller closes the runtime; the
    pool ends with the process, or earlier with `close_app`.
    """
    app = Flask("service.web", root_path=str(_HERE))
    secure_app(app, rt.settings)
    csrf = CSRFProtect()
    for module in SECTIONS:
        csrf.exempt(module.section.blueprint)
    app.before_request(check_access)
    csrf.init_app(app)
    parts = Parts(rt, pool or BackgroundPool())
    keep_parts(app, parts)
    register_api(app)
    register_pages(app)
    app.register_blueprint(probes.routes)
    app.view_functions["static"] = open_to_all(app.view_functions["static"])
    register_errors(app)
    submit_waiting(parts.pool, rt)
    atexit.register(parts.pool.close)
    return app


def close_app(app: Flask) -> None:
    """End the background work of an application; what has begun is finished first."""
    pool = load_parts(app).pool
    pool.close()
    atexit.unregister(pool.close)
