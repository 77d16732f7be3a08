"""The pages for people, rendered on the server."""

from __future__ import annotations

from flask import Flask

from service.web.pages import deliveries, feeds, holds, ledger, login, overview, plans, practitioners, reports
from service.web.pages.blueprint import pages
from service.web.pages.furniture import furnish_templates

ROOMS = (login, overview, practitioners, plans, deliveries, feeds, holds, ledger, reports)
"""The modules whose routes stand on the blueprint once they are imported."""


def register_pages(app: Flask) -> None:
    """Register every page and what all templates may use."""
    furnish_templates(app)
    app.register_blueprint(pages)
