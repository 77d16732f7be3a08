"""What the first reading of a process loads, so that a terminal answers at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from service.domain.identifiers import LETTERS

READ = """
import sys
from pathlib import Path
from service.domain.identifiers import Environment
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions
reading = read_roster(Path(sys.argv[1]), RosterOptions(Environment.SANDBOX))
print(len(reading.present), len(reading.findings), len([*reading.demographics]), "pandas" in sys.modules)
"""


def test_no_reading_loads_pandas(tmp_path: Path) -> None:
    """Arrow would, to see whether it is given one of its frames: a third of a second and 35 MiB for nothing."""
    rows = [f"1S00E00{one}{other}{n % 100:02d}" for n in range(2) for one in LETTERS for other in LETTERS]
    names = ["Doe", "Roe"]
    table = [f"{mbi},3905293015,{names[place % 2]},1/{place % 28 + 1}/40" for place, mbi in enumerate([*rows, rows[0]])]
    wrong = [f"{mbi[: place % 10]},390529301X,Doe," for place, mbi in enumerate(rows[:200])]
    path = tmp_path / "roster.csv"
    path.write_text("\n".join(["mbi,npi,last name,dob", *table, *wrong]), encoding="utf-8")
    told = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, check=True, text=True).stdout
    present, findings, people, is_loaded = told.split()
    assert (int(present), int(people), is_loaded) == (len(rows), len(rows), "False")
    assert int(findings) > 200
