"""The rosters of the demo: one synthetic practice over eleven weeks, the same bytes for the same numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from service.domain.errors import InvalidInput
from service.domain.identifiers import is_npi

ORGANIZATION_ID, FEED_ID, DESK_FEED_ID = "lakeside", "ehr-daily", "front-desk"
ORGANIZATION_NAME = "Lakeside Family Practice"
DEFAULT_PRACTITIONERS, DEFAULT_PATIENTS = 4, 100
FEWEST_PER_PRACTITIONER, MOST_PER_PRACTITIONER = 3, 4900

_GIVEN_F = ("Ada", "Beryl", "Cora", "Dolores", "Edith", "Flora", "Greta", "Hazel", "Iris", "Josefa", "Leonor", "Mabel")
_GIVEN_M = ("Abel", "Bruno", "Cyrus", "Desmond", "Emil", "Felix", "Gus", "Hector", "Ivan", "Julius", "Lionel", "Milo")
_FAMILY = (
    "Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fern", "Ginkgo", "Hawthorn", "Ironwood", "Juniper", "Katsura",
    "Larch", "Magnolia", "Nutmeg", "Olivera", "Poplar", "Quince", "Rowan", "Sequoia", "Tamarack", "Willow", "Yew",
)  # fmt: skip
_DOCTORS = ("Wells", "Rivers", "Brooks", "Ponds", "Meadows", "Banks", "Shores", "Lakes")
_FIRST_BIRTH = date(1931, 1, 5)
_HEADINGS = ("MBI", "First Name", "Last Name", "Date of Birth", "Sex", "Rendering NPI")


@dataclass(frozen=True, slots=True)
class RosterFile:
    """One file of the story: its name and bytes."""

    name: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Person:
    """One invented patient of one invented practitioner."""

    mbi: str
    given: str
    family: str
    born_on: date
    sex: str
    npi: str

    def write(self, *, dashed: bool = True) -> list[str]:
        """Answer the patient's row as an EHR prints it, the MBI with the dashes of the card."""
        mbi = f"{self.mbi[:4]}-{self.mbi[4:7]}-{self.mbi[7:]}" if dashed else self.mbi
        return [mbi, self.given, self.family, self.born_on.isoformat(), self.sex, self.npi]


def build_rosters(practitioners: int = DEFAULT_PRACTITIONERS, patients: int = DEFAULT_PATIENTS) -> list[RosterFile]:
    """Answer the files of the story, in the order in which they are sent.

    Raises InvalidInput when a practitioner would have fewer than 3 or more than 4,900 patients.
    """
    check_size(practitioners, patients)
    npis = [build_npi(n) for n in range(practitioners)]
    people = [build_person(n, npis[n % practitioners]) for n in range(patients + 7)]
    first, damaged, new, late, walk_in = _cut(people, patients)
    gone = {first[2].mbi, first[3].mbi}
    second = [p for p in first if p.mbi not in gone] + damaged + new
    third = [*second, late]
    return [
        RosterFile("00_practitioners.csv", _write_practitioners(npis)),
        RosterFile("01_first_roster.csv", _write_damaged(first, damaged)),
        RosterFile("02_next_week.csv", _write(p.write() for p in second)),
        RosterFile("03_the_week_after.csv", _write(p.write() for p in third)),
        RosterFile("04_before_renewal.csv", _write_excel(third)),
        RosterFile("05_changes_only.csv", _write([["add", *walk_in.write()]], ("Action", *_HEADINGS))),
        RosterFile("06_cut_off.csv", _write_cut_off(third)),
    ]


def check_size(practitioners: int, patients: int) -> None:
    """Raise InvalidInput when the story cannot be told with so many people."""
    if not FEWEST_PER_PRACTITIONER * practitioners <= patients <= MOST_PER_PRACTITIONER * practitioners:
        raise InvalidInput(
            f"{patients} patients do not fit {practitioners} practitioners.",
            next_action=f"Give each between {FEWEST_PER_PRACTITIONER} and {MOST_PER_PRACTITIONER} patients.",
        )


def build_npi(n: int) -> str:
    """Answer the nth practitioner's NPI: right check digit, but beginning with 3, which is never issued."""
    return complete_npi(f"3990{n:05d}")


def complete_npi(nine: str) -> str:
    """Answer nine digits with their check digit."""
    return next(nine + digit for digit in "0123456789" if is_npi(nine + digit))


ORGANIZATION_NPI = complete_npi("399999999")


def build_person(n: int, npi: str) -> Person:
    """Answer the nth patient: an MBI of the sandbox's shape (S at position 2, never issued) and a name of trees."""
    is_woman = n % 2 == 0
    given = (_GIVEN_F if is_woman else _GIVEN_M)[n // 2 % 12]
    family = _FAMILY[(n * 7 + n // len(_FAMILY)) % len(_FAMILY)]
    born_on = _FIRST_BIRTH + timedelta(days=n * 97 % 10_000)
    return Person(build_mbi(n), given, family, born_on, "F" if is_woman else "M", npi)


def build_mbi(n: int) -> str:
    """Answer the nth synthetic MBI; different for each n below 6.7 million."""
    rest, tail = divmod(n, 100)
    rest, last = divmod(rest, 26)
    high, first = divmod(rest, 26)
    return f"1S7{high // 10 % 10}R0{high % 10}{chr(65 + first)}{chr(65 + last)}{tail:02d}"


def _cut(people: Sequence[Person], n: int) -> tuple[list[Person], list[Person], list[Person], Person, Person]:
    """Who is there from the start, who has a damaged row at first, who comes later, and who walks in."""
    return list(people[:n]), list(people[n : n + 3]), list(people[n + 3 : n + 5]), people[n + 5], people[n + 6]


def _write(rows: Iterable[Sequence[str]], headings: Sequence[str] = _HEADINGS) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(headings)
    writer.writerows(rows)
    return text.getvalue().encode()


def _write_practitioners(npis: Sequence[str]) -> bytes:
    names = [((_GIVEN_F + _GIVEN_M)[(n * 5 + 3) % 24], _DOCTORS[n % len(_DOCTORS)]) for n in range(len(npis))]
    rows = [[npi, given, family] for npi, (given, family) in zip(npis, names, strict=True)]
    return _write(rows, ("NPI", "First Name", "Last Name"))


def _write_damaged(first: Sequence[Person], damaged: Sequence[Person]) -> bytes:
    """The first roster with four findings: O for 0, an NPI that a spreadsheet shortened, a lost digit, a row twice."""
    with_letter, shortened, too_short = (p.write() for p in damaged)
    with_letter[0] = with_letter[0][:3] + "O" + with_letter[0][4:]
    shortened[5] = "3.99E+09"
    too_short[0] = too_short[0][:-1]
    rows = [p.write() for p in first]
    return _write([*rows[:4], with_letter, *rows[4:7], shortened, *rows[7:], too_short, rows[0]])


def _write_excel(people: Sequence[Person]) -> bytes:
    """The same people as a spreadsheet saves them: byte order mark, semicolons, carriage returns, by family name."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(_HEADINGS)
    ordered = sorted(people, key=lambda p: (p.family, p.given, p.mbi))
    writer.writerows(p.write(dashed=False) for p in ordered)
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def _write_cut_off(people: Sequence[Person]) -> bytes:
    """Half a file that breaks off inside a quoted cell, as an export does when the disk is full."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(_HEADINGS)
    writer.writerows(p.write() for p in people[: len(people) // 2])
    return text.getvalue().encode()[:-8]
