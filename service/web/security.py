"""What every answer carries and what every request is bounded by, errors included."""

from __future__ import annotations

from flask import Flask, Response, request

from service.settings import Settings

MEBIBYTE = 1024 * 1024
FORM_LIMIT = MEBIBYTE // 4
"""Forms and JSON bodies are small; the upload route raises its own limit."""
UPLOAD_LIMIT = 64 * MEBIBYTE
HSTS_SECONDS = 365 * 24 * 3600

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def secure_app(app: Flask, settings: Settings) -> None:
    """Set cookies, trusted hosts and limits of the application, and headers on every answer."""
    app.config.update(
        SECRET_KEY=settings.secret_key,
        TRUSTED_HOSTS=list(settings.trusted_hosts),
        MAX_CONTENT_LENGTH=FORM_LIMIT,
        SESSION_COOKIE_NAME="__Host-rollcall" if settings.secure_cookies else "rollcall",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        SESSION_REFRESH_EACH_REQUEST=False,
        # The browser is told to send no Referer, so its absence proves nothing; Origin is checked instead.
        WTF_CSRF_SSL_STRICT=False,
        WTF_CSRF_TIME_LIMIT=8 * 3600,
    )
    headers = HEADERS | (
        {"Strict-Transport-Security": f"max-age={HSTS_SECONDS}; includeSubDomains"} if settings.secure_cookies else {}
    )

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in headers.items():
            response.headers[name] = value
        is_static = request.endpoint == "static"
        response.headers["Cache-Control"] = "public, max-age=300" if is_static else "no-store"
        return response
