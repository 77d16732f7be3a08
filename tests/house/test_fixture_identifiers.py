"""No file holds a number that could be a living person's: neither in the open nor packed into a workbook."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator

from service.domain.identifiers import STRICT_ALPHABETS
from tests.house.files import ROOT, list_files

_PLACES = [f"[{alphabet}]" for alphabet in STRICT_ALPHABETS]
_SHOWN = "".join(_PLACES[:4]) + r"[\s-]?" + "".join(_PLACES[4:7]) + r"[\s-]?" + "".join(_PLACES[7:])
ISSUED = re.compile(rf"(?<![0-9A-Za-z])(?:{_SHOWN})(?![0-9A-Za-z])".encode(), re.IGNORECASE)
"""What CMS issues to people (feeds 2.1), with or without the separators of the card."""

SPECIMEN = re.compile(rb"1EG4[\s-]?TE5[\s-]?MK7[0-9]", re.IGNORECASE)
"""The number on the picture of the card that CMS publishes, and its neighbours; in tests only."""


def test_no_file_holds_a_number_that_could_have_been_issued() -> None:
    found = [
        f"{path} at byte {place}"
        for path in list_files()
        for number, place in find_numbers((ROOT / path).read_bytes())
        if not (path.startswith("tests/") and SPECIMEN.fullmatch(number))
    ]
    assert found == []


def test_the_search_finds_what_was_issued_however_it_is_written_or_packed() -> None:
    specimen = "1EG4" + "TE5" + "MK73"
    shown = ["-".join(["1EG4", "TE5", "MK73"]), " ".join(["1eg4", "te5", "mk73"])]
    for text in (specimen, specimen.lower(), *shown, f"x,{specimen}\n"):
        assert [place for _, place in find_numbers(text.encode())], text
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("sheet.xml", f"<v>{specimen}</v>" * 50)
    assert list(find_numbers(packed.getvalue()))


def test_the_search_passes_over_synthetic_numbers_and_parts_of_longer_words() -> None:
    for text in ("1S00E00AA00", "0A00A00AA00", "1EG4" + "TE5" + "MK734", "x1EG4" + "TE5" + "MK73", "1B00A00AA00"):
        assert not list(find_numbers(text.encode())), text


def find_numbers(content: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield each number with its place, also from inside a zipped workbook."""
    for match in ISSUED.finditer(content):
        yield match[0], match.start()
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for name in packed.namelist():
                yield from find_numbers(packed.read(name))
