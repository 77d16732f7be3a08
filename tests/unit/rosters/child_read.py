"""A process of its own that reads one file, and prints what it was refused as, and what the reading cost."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from measuring import measure_slowness, read_memory

from service.domain.identifiers import Environment
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions

OPTIONS = RosterOptions(Environment.SANDBOX)


def main() -> None:
    """Reads the file that the first argument names."""
    path = Path(sys.argv[1])
    small = path.with_name("small.csv")
    small.write_bytes(b"mbi,npi\n1S00E00AA00,3905293015\n")
    read_roster(small, OPTIONS)  # what is loaded at the first reading is no growth of the second
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    slowness = measure_slowness()
    before, start = read_memory("VmRSS"), time.process_time()
    reading = read_roster(path, OPTIONS)
    seconds, growth = time.process_time() - start, read_memory("VmHWM") - before
    slowness = max(slowness, measure_slowness())
    rows = len(reading.present) + len(reading.remove) + len(reading.findings)
    print(json.dumps({"error": reading.file_error, "rows": rows, "seconds": seconds / slowness, "growth": growth}))


if __name__ == "__main__":
    main()
