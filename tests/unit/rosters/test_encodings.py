"""An encoding that was declared for a feed is the only one its text is read in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.domain.feeds import ENCODINGS
from service.rosters.encoding import DECLARED
from service.rosters.reading import RosterReading

ReadText = Callable[..., RosterReading]

A, N = "1S00E00AA00", "3905293015"
TEXT = f"mbi,npi,last name\r\n{A},{N},Núñez\r\n"

DECLARATIONS = [
    # declared, written as, the encoding of the reading, the family name as read
    ("utf-8", "utf-8", "utf-8", "Núñez"),
    ("utf-8", "utf-8-sig", "utf-8-sig", "Núñez"),
    ("utf-16", "utf-16", "utf-16-le", "Núñez"),
    ("utf-16", "utf-16-le", "utf-16-le", "Núñez"),
    ("utf-16", "utf-16-be", "utf-16-be", "Núñez"),
    ("windows-1252", "cp1252", "cp1252", "Núñez"),
    ("windows-1252", "utf-8", "cp1252", "NÃºÃ±ez"),
    ("iso-8859-1", "iso-8859-1", "iso-8859-1", "Núñez"),
    ("iso-8859-1", "utf-8", "iso-8859-1", "NÃºÃ±ez"),
]


@pytest.mark.parametrize(("declared", "written", "recorded", "family"), DECLARATIONS)
def test_text_is_read_in_the_declared_encoding(
    read_text: ReadText, declared: str, written: str, recorded: str, family: str
) -> None:
    reading = read_text(TEXT.encode(written), encoding=declared)
    assert (reading.file_error, reading.encoding) == (None, recorded)
    assert reading.demographics[0].family == family


CONTRADICTIONS = [
    ("utf-8", TEXT.encode("cp1252")),
    ("utf-8", TEXT.encode("utf-16")),
    ("utf-8", TEXT.encode("utf-16-be")),
    ("utf-8", b"mbi,npi,last name\n" + b"\n" * 300_000 + b"x,1,\xd1\n"),
    ("utf-8", TEXT.encode() + f"{A},{N},".encode() + b"a\xffb\n"),
    ("utf-16", TEXT.encode()),
    ("utf-16", b"mbi,npi\n"),
    ("utf-16", TEXT.encode("utf-8-sig")),
    ("utf-16", TEXT.encode("utf-16") + b"\0"),
    ("windows-1252", TEXT.encode("utf-8-sig")),
    ("windows-1252", TEXT.encode("utf-16")),
    ("windows-1252", TEXT.encode("utf-16-le")),
    ("windows-1252", b"mbi,npi,last name\n1,2,\x81\n"),
    ("iso-8859-1", TEXT.encode("utf-8-sig")),
    ("iso-8859-1", b"\xfe\xff" + TEXT.encode("utf-16-be")),
]


@pytest.mark.parametrize(("declared", "content"), CONTRADICTIONS, ids=range(len(CONTRADICTIONS)))
def test_bytes_that_contradict_the_declaration_are_a_file_error(
    read_text: ReadText, declared: str, content: bytes
) -> None:
    assert read_text(content, encoding=declared).file_error == "encoding_undecodable"


def test_a_byte_that_only_one_encoding_has_tells_them_apart(read_text: ReadText) -> None:
    content = b"mbi,npi,last name\n%s,%s,O\x92Brien\n" % (A.encode(), N.encode())
    families = [
        read_text(content, encoding=declared).demographics[0].family for declared in ("windows-1252", "iso-8859-1")
    ]
    assert families == ["O\u2019Brien", "OBrien"]


def test_what_is_no_text_minds_no_declaration(read_text: ReadText) -> None:
    reading = read_text(f'[["{A}", "{N}"]]', encoding="utf-16")
    assert (reading.format, reading.file_error, len(reading.present)) == ("json", None, 1)


@pytest.mark.parametrize("declared", ENCODINGS)
def test_an_empty_file_is_in_every_encoding(read_text: ReadText, declared: str) -> None:
    assert read_text(b"", encoding=declared).file_error == "header_unrecognised"


def test_every_encoding_that_a_feed_may_declare_can_be_read() -> None:
    assert set(DECLARED) == set(ENCODINGS)
