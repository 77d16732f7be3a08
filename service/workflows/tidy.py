"""Delete raw files that no delivery owns: what a process left behind that died while it took a file in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from service.runtime import Runtime
from service.storage.deliveries import find_known_paths
from service.storage.raw_files import delete_raw_file, find_settled_files

LONGEST_UPLOAD = timedelta(hours=6)
"""Nothing takes longer to arrive; a younger file may still become a delivery."""


def delete_orphans(rt: Runtime, organization_id: str, *, before: datetime | None = None) -> int:
    """Delete an organisation's raw files without a delivery, and answer how many.

    A delivery exists from the moment it is recorded, so such a file is nobody's: its sender never had a receipt and
    sends it again. Files are dated by the machine's clock; `before` is a moment of it, six hours ago if not given.
    """
    old = find_settled_files(rt.settings.uploads_dir, organization_id, before or datetime.now(UTC) - LONGEST_UPLOAD)
    with rt.database.read() as connection:
        known = find_known_paths(connection, organization_id, old)
    orphans = [path for path in old if path not in known]
    for path in orphans:
        delete_raw_file(rt.settings.uploads_dir, path)
    return len(orphans)
