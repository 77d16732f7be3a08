"""Whether the process lives and whether it can work; neither asks DPC, and neither shows a value."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from service.storage import schema
from service.storage.database import check_writable
from service.storage.errors import StorageError
from service.web.access import open_to_all
from service.web.places import find_runtime

routes = Blueprint("probes", __name__)


@routes.get("/livez")
@open_to_all
def show_liveness() -> ResponseReturnValue:
    """Answer that the process lives; looks at nothing else."""
    return jsonify({"state": "alive"})


@routes.get("/readyz")
@open_to_all
def show_readiness() -> ResponseReturnValue:
    """Answer 200 when the schema is the newest and the database can be written, else 503 with the failing check."""
    rt = find_runtime()
    try:
        is_current = schema.is_at_head(rt.settings.database_url)
        with rt.database.begin() as connection:
            check_writable(connection)
    except StorageError as error:
        return jsonify({"state": "not ready", "check": "database", "code": error.code}), 503
    if not is_current:
        return jsonify({"state": "not ready", "check": "schema", "code": "not_migrated"}), 503
    return jsonify({"state": "ready"})
