"""What a check of a roster file answers, whole, so that a test states only what is not usual."""

from __future__ import annotations

from typing import Any

_NOTHING: dict[str, Any] = {
    "format": "csv",
    "mode_signal": "none",
    "file_error": None,
    "present": [],
    "remove": [],
    "mbi_changes": [],
    "errors": [],
    "warnings": [],
    "protected_mbis": [],
    "blind_errors": 0,
}


def build_result(**parts: Any) -> dict[str, Any]:
    """Answers the whole result of a check: the given parts, and of the others that there is nothing."""
    unknown = parts.keys() - _NOTHING.keys()
    if unknown:
        raise ValueError(f"a check answers no {unknown}")
    return _NOTHING | parts
