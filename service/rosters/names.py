"""What a file's name says about it: nothing, or that it lists changes only."""

from __future__ import annotations

import re

_DELTA_NAME = re.compile("turnover|changes|delta", re.IGNORECASE)


def find_name_signal(filename: str | None) -> str | None:
    """Answer `delta` when the name says that the file lists changes only (feeds 7.2); else None."""
    return "delta" if filename and _DELTA_NAME.search(filename) else None
