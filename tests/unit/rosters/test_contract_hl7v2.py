"""What ADT messages and batches must come out as, case by case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from readings import build_result

from service.domain.identifiers import Environment
from service.rosters.reading import RosterReading

CheckText = Callable[..., dict[str, Any]]
ReadText = Callable[..., RosterReading]

A, B, C, D = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02", "1S00E00AA03"
N, M, P = "3905293015", "2323232225", "1232125215"
REAL = "1EG4TE5MK73"
MBI_OID, NPI_OID = "2.16.840.1.113883.4.927", "2.16.840.1.113883.4.6"
CMS, TAG = f"CMS&{MBI_OID}&ISO", f"NPI&{NPI_OID}&ISO"


def expect(**parts: Any) -> dict[str, Any]:
    return build_result(format="hl7v2", mode_signal="delta", **parts)


def fail(code: str, *, blind: bool) -> dict[str, Any]:
    """The result of one message about patient A that gives no pair."""
    return expect(errors=[["M1", code]], blind_errors=int(blind), protected_mbis=[] if blind else [A])


def card(mbi: str, authority: str = CMS, kind: str = "MC") -> str:
    return f"{mbi}^^^{authority}^{kind}"


def doctor(npi: str, authority: str = TAG, kind: str = "NPI") -> str:
    return f"{npi}^Doe^Jane^^^^^^{authority}^L^^^{kind}"


def visit(attending: str, referring: str = "", consulting: str = "") -> str:
    return f"PV1|1|O|CLINIC1||||{attending}|{referring}|{consulting}"


def tell(
    event: str = "A08", ident: str = "M1", segments: Sequence[str] = (), *, at: str = "20210805143104-0400", **more: str
) -> str:
    """A message about patient A by doctor N, where `more` and `segments` do not say otherwise."""
    kind, charset = more.get("kind", f"ADT^{event}^ADT_A01"), more.get("charset", "UNICODE UTF-8")
    name, born = more.get("name", "Doe^Ann^^^^^L"), more.get("born", "19390228")
    lines = [
        f"MSH|^~\\&|{more.get('sender', 'EHR|HAPPYHC')}|RECON|ROSTER|{at}||{kind}|{ident}|P|2.5.1||||||{charset}",
        f"EVN|{event}|{at}",
        f"PID|1||{more.get('pid3', card(A))}||{name}||{born}|F",
        *(segments or [visit(doctor(N))]),
    ]
    return "".join(line + "\r" for line in lines)


PRESENT, IGNORED = expect(present=[[A, N]]), expect(warnings=[["M1", "event_ignored"]])
EVENTS = {
    **dict.fromkeys(["A01", "A04", "A05", "A08", "A28", "A31"], PRESENT),
    **dict.fromkeys(["A02", "A03", "A06", "A07", "A11", "A12", "A13", "A23", "A29", "A60"], IGNORED),
}


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_means_what_was_agreed(check_text: CheckText, event: str) -> None:
    assert check_text(tell(event)) == EVENTS[event]
    assert check_text(tell(event, kind="ADT")) == EVENTS[event], "EVN-1 stands in for MSH-9"
    assert check_text(tell(event, kind=f"ORU^{event}")) == IGNORED


FORMS: dict[str, Callable[[str], str]] = {
    "CR": lambda text: text,
    "LF": lambda text: text.replace("\r", "\n"),
    "CRLF": lambda text: text.replace("\r", "\r\n"),
    "blank lines": lambda text: "\n\n" + text.replace("\r", "\n\n"),
    "MLLP": lambda text: f"\x0b{text}\x1c\r",
    "MLLP with LF": lambda text: "\x0b" + text.replace("\r", "\n") + "\x1c\n",
    "byte order mark": lambda text: "\ufeff" + text,
    "delimiters": lambda text: text.translate(str.maketrans("|^~\\&", "#*+?%")),
    "some delimiters": lambda text: text.replace("^~\\&|EHR", "^~|EHR"),
    "unknown segments": lambda text: text.replace("PV1", "ZZZ|x\rOBX|1|TX|||x\rPV1"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_message_is_read_in_every_form(check_text: CheckText, name: str) -> None:
    form = FORMS[name]
    first = tell(pid3=card(A, "CMS"), segments=[visit(doctor(N, "NPI"))])
    second = tell(ident="M2", pid3=f"MRN^^^X^MR~{card(B, 'CMS')}", segments=[visit(doctor(M, "NPI"))])
    assert check_text(form(first) + form(second)) == expect(present=[[A, N], [B, M]])
    assert check_text(form(first).rstrip("\r\n")) == PRESENT


IDENTIFIERS: dict[str, tuple[str, str | None]] = {
    "CMS with OID": (card(A), None),
    "CMS": (card(A, "CMS"), None),
    "MEDICARE": (card(A, "MEDICARE"), None),
    "MBI": (card(A, "MBI"), None),
    "USMBI": (card(A, "USMBI"), None),
    "no authority": (card(A, ""), None),
    "OID of another name": (card(A, f"HIE&{MBI_OID}&ISO"), None),
    "OID alone": (card(A, f"&{MBI_OID}&ISO"), None),
    "local type": (card(A, "", "MBI"), None),
    "display form": (card("1S00-E00-AA00"), None),
    "lower case": (card(A.lower()), None),
    "behind others": (f"MRN1^^^HAPPYHC^MR~{card('987654329', 'SSA', 'SS')}~{card(A)}", None),
    "same twice": (f"{card(A)}~{card('1s00-e00-aa00', 'MBI')}", None),
    "beside the Australian": (f"{card('20000000001', 'AUSHIC')}~{card(A)}", None),
    "beside a damaged one": (f"{card('1S00E00AA0')}~{card(A)}", None),
    "Australian": (card("20000000001", "AUSHIC"), "mbi_missing"),
    "Australian in the right shape": (card(A, "AUSHIC"), "mbi_missing"),
    "other authority": (card(A, "HAPPYHC"), "mbi_missing"),
    "member number": (card(A, "CMS", "MB"), "mbi_missing"),
    "Medicaid": (card(A, "CMS", "MA"), "mbi_missing"),
    "SSN": (card("987654329", "CMS", "SS"), "mbi_missing"),
    "record number": (card(A, "CMS", "MR"), "mbi_missing"),
    "no type": (card(A, "CMS", ""), "mbi_missing"),
    "bare": (A, "mbi_missing"),
    "empty": ("", "mbi_missing"),
    "null": ('""', "mbi_missing"),
    "empty value": (card(""), "mbi_missing"),
    "two": (f"{card(A)}~{card(B)}", "multiple_mbi"),
    "HICN": (card("987654329A"), "mbi_is_hicn"),
    "SSN as MBI": (card("987654329"), "mbi_is_ssn"),
    "letter O": (card("1S00E0OAA00"), "mbi_format"),
    "short": (card("1S00E00AA0"), "mbi_length"),
    "real": (card(REAL), "mbi_real_in_sandbox"),
}


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_the_mbi_of_a_message_is_the_one_agreed(check_text: CheckText, name: str) -> None:
    pid3, code = IDENTIFIERS[name]
    assert check_text(tell(pid3=pid3)) == (fail(code, blind=True) if code else PRESENT)


def test_insurance_is_no_source_of_numbers_by_default(check_text: CheckText) -> None:
    segments = [f"PV1|1|O|||||{doctor(N)}", f"IN1|1|MCARE|00001|MEDICARE{'|' * 32}{A}", f"IN2|||||||{A}"]
    assert check_text(tell(pid3="MRN1^^^X^MR", segments=segments)) == fail("mbi_missing", blind=True)


NOBODY = visit("L1^Doe")
PRACTITIONERS: dict[str, tuple[list[str], str]] = {
    "attending": ([visit(doctor(N))], N),
    "PCP before attending": ([visit(doctor(M)), f"PD1||||{doctor(N)}"], N),
    "ROL before attending": ([f"ROL|1|UC|PP^Primary Care Provider^HL70443|{doctor(N)}", visit(doctor(M))], N),
    "PRT before attending": ([f"PRT|1|UC||PP^Primary Care Provider|{doctor(N)}", visit(doctor(M))], N),
    "PCP before ROL": ([f"ROL|1|UC|PP|{doctor(M)}", f"PD1||||{doctor(N)}"], N),
    "ROL before PRT": ([f"PRT|1|UC||PP|{doctor(M)}", f"ROL|1|UC|PP|{doctor(N)}"], N),
    "second ROL": ([f"ROL|1|UC|AT|{doctor(M)}", f"ROL|2|UC|PP|{doctor(N)}"], N),
    "other role": ([f"ROL|1|UC|AT|{doctor(M)}", f"PRT|1|UC||AT|{doctor(M)}", visit(doctor(N))], N),
    "PCP without NPI": ([f"PD1||||{doctor('L1', 'HAPPYHC', 'PRN')}", visit(doctor(N))], N),
    "PCP with a wrong NPI": ([f"PD1||||{doctor('57422')}", visit(doctor(N))], N),
    "local id first": ([visit(f"{doctor('L1', 'HAPPYHC', 'PRN')}~{doctor(N)}")], N),
    "first of two": ([visit(f"{doctor(N)}~{doctor(M)}")], N),
    "authority alone": ([visit(doctor(N, "NPI", ""))], N),
    "authority with OID": ([visit(doctor(N, TAG, ""))], N),
    "type alone": ([visit(doctor(N, "", "NPI"))], N),
    "type beside an authority": ([visit(doctor(N, "HAPPYHC", "NPI"))], N),
    "referring": ([visit("", doctor(N))], "npi_missing"),
    "consulting": ([visit("", "", doctor(N))], "npi_missing"),
    "nobody": ([NOBODY], "npi_missing"),
    "no segment": (["PV2|"], "npi_missing"),
    "null": ([visit('""')], "npi_missing"),
    "five digits": ([visit(doctor("57422"))], "npi_length"),
    "nine digits": ([visit(doctor("390529301"))], "npi_length"),
    "check digit": ([visit(doctor("9941339108"))], "npi_luhn"),
    "letters": ([visit(doctor("DOE12345X9"))], "npi_format"),
}


@pytest.mark.parametrize("name", PRACTITIONERS)
def test_the_practitioner_of_a_message_is_the_one_agreed(check_text: CheckText, name: str) -> None:
    segments, answer = PRACTITIONERS[name]
    assert check_text(tell(segments=segments)) == (PRESENT if answer == N else fail(answer, blind=False))


@pytest.mark.parametrize("tag", ["^^^^^^^", "^Doe^Jane^^^^^^HAPPYHC^L^^^PRN", ""])
def test_a_number_that_nobody_tagged_is_remarked_on_and_not_used(check_text: CheckText, tag: str) -> None:
    untagged = [["M1", "npi_untagged"]]
    assert check_text(tell(segments=[visit(N + tag)])) == {**fail("npi_missing", blind=False), "warnings": untagged}
    both = check_text(tell(segments=[f"PD1||||{M}{tag}", visit(doctor(N))]))
    assert both == {**PRESENT, "warnings": untagged}


def rename(ident: str, at: str) -> str:
    return tell("A47", ident, pid3=card(B), segments=[f"MRG|{card(A)}"], at=at)


LATER = tell("A47", "M1", pid3=card(C), segments=[f"MRG|{card(B)}"], at="20210805010000-0500")
MERGES: dict[str, tuple[str, dict[str, Any]]] = {
    "changed": (tell("A47", pid3=card(B), segments=[f"MRG|{card(A)}"]), expect(mbi_changes=[[A, B]])),
    "merged": (tell("A40", pid3=card(B), segments=[f"MRG|{card(A)}"]), expect(mbi_changes=[[A, B]])),
    "among others": (
        tell("A47", pid3=f"MRN^^^X^MR~{card(B)}", segments=[f"MRG|MRN^^^X^MR~{card(A, '')}"]),
        expect(mbi_changes=[[A, B]]),
    ),
    "two in one message": (
        tell("A40", pid3=card(B), segments=[f"MRG|{card(A)}", f"PID|2||{card(D)}", f"MRG|{card(C)}"]),
        expect(mbi_changes=[[A, B], [C, D]]),
    ),
    "one of two": (
        tell("A40", pid3=card(B), segments=[f"MRG|{card(A)}", "PID|2||MRN1^^^X^MR", "MRG|MRN2^^^X^MR"]),
        expect(mbi_changes=[[A, B]], warnings=[["M1", "event_ignored"]]),
    ),
    "same": (tell("A47", pid3=card(A), segments=[f"MRG|{card('1s00-e00-aa00')}"]), IGNORED),
    "record numbers": (tell("A40", pid3="MRN1^^^X^MR", segments=["MRG|MRN2^^^X^MR"]), IGNORED),
    "old one missing": (tell("A47", pid3=card(B), segments=["MRG|MRN2^^^X^MR"]), IGNORED),
    "no old one": (tell("A47", pid3=card(B), segments=["PV1|1"]), IGNORED),
    "new one damaged": (tell("A47", pid3=card("1S00E00AA0"), segments=[f"MRG|{card(A)}"]), IGNORED),
    "old one real": (tell("A47", pid3=card(B), segments=[f"MRG|{card(REAL)}"]), IGNORED),
    "other event": (tell("A08", segments=[f"MRG|{card(B)}", visit(doctor(N))]), PRESENT),
    "by time": (LATER + rename("M2", "20210804220000-0400"), expect(mbi_changes=[[A, B], [B, C]])),
    "by zone": (LATER + rename("M2", "20210805020000+0000"), expect(mbi_changes=[[A, B], [B, C]])),
    "without time": (LATER + rename("M2", ""), expect(mbi_changes=[[A, B], [B, C]])),
}


@pytest.mark.parametrize("name", MERGES)
def test_a_replaced_number_comes_out_as_agreed(check_text: CheckText, name: str) -> None:
    text, result = MERGES[name]
    assert check_text(text) == result


REPEATED = expect(present=[[A, N]], warnings=[["M1", "duplicate_row"]])
SEVERAL: dict[str, tuple[str, dict[str, Any]]] = {
    "repeat": (tell() + tell(), REPEATED),
    "repeat with other content": (tell() + tell(pid3=card(B)), REPEATED),
    "same number of another sender": (tell() + tell(pid3=card(B), sender="LAB|X"), expect(present=[[A, N], [B, N]])),
    "same pair in another": (tell() + tell(ident="M2"), expect(present=[[A, N]], warnings=[["M2", "duplicate_row"]])),
    "two practitioners": (
        tell() + tell(ident="M2", segments=[visit(doctor(M))]),
        expect(present=[[A, N], [A, M]], warnings=[["M2", "mbi_multiple_npi"]]),
    ),
    "discharged": (tell() + tell("A03", "M2"), expect(present=[[A, N]], warnings=[["M2", "event_ignored"]])),
    "input order whatever the time": (
        tell(at="20210806", pid3=card(B)) + tell(ident="M2", at="20210805"), expect(present=[[B, N], [A, N]])
    ),
    "no control id": (
        tell(ident="", pid3="x") + tell(ident="", pid3="x"),
        expect(errors=[["#1", "mbi_missing"], ["#2", "mbi_missing"]], blind_errors=2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SEVERAL)
def test_several_messages_come_out_as_agreed(check_text: CheckText, name: str) -> None:
    text, result = SEVERAL[name]
    assert check_text(text) == result


def head(kind: str, ident: str = "", at: str = "") -> str:
    return f"{kind}|^~\\&|EHR|HAPPYHC|RECON|ROSTER|{at}||||{ident}\r"


ONE, OTHER = tell(), tell(ident="M2", pid3=card(B))
TWO = ONE + OTHER
BOTH = expect(present=[[A, N], [B, N]])
MISCOUNTED = expect(file_error="count_mismatch")
BATCHES: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "counted": (head("FHS") + head("BHS") + TWO + "BTS|2\rFTS|1\r", BOTH, 2),
    "counted with remarks": (head("FHS") + head("BHS") + TWO + "BTS|2|end\rFTS|1|end\r", BOTH, 2),
    "batch alone": (head("BHS") + TWO + "BTS|2\r", BOTH, 2),
    "counts left out": (head("FHS") + head("BHS") + TWO + "BTS\rFTS\r", BOTH, None),
    "counts empty": (head("FHS") + head("BHS") + TWO + "BTS|\rFTS|\r", BOTH, None),
    "repeats are counted": (head("BHS") + tell() + tell() + "BTS|2\r", REPEATED, 2),
    "ignored ones are counted": (head("BHS") + tell("A03") + "BTS|1\r", IGNORED, 1),
    "two batches": (head("FHS") + head("BHS") + ONE + "BTS|1\r" + head("BHS") + OTHER + "BTS|1\rFTS|2\r", BOTH, 2),
    "two files": (
        head("FHS") + head("BHS") + ONE + "BTS|1\rFTS|1\r" + head("FHS") + head("BHS") + OTHER + "BTS|1\rFTS|1\r",
        BOTH, 2),
    "file without batches": (head("FHS") + TWO + "FTS|1\r", BOTH, 1),
    "file that counts messages": (head("FHS") + TWO + "FTS|2\r", BOTH, 2),
    "empty batch": (head("FHS") + head("BHS") + "BTS|0\rFTS|1\r", expect(), 0),
    "too few": (head("FHS") + head("BHS") + TWO + "BTS|3\rFTS|1\r", MISCOUNTED, 3),
    "too many": (head("BHS") + TWO + "BTS|1\r", MISCOUNTED, 1),
    "wrong batches": (head("FHS") + head("BHS") + TWO + "BTS|2\rFTS|2\r", MISCOUNTED, 2),
    "wrong file": (head("FHS") + TWO + "FTS|5\r", MISCOUNTED, 5),
    "no number": (head("BHS") + TWO + "BTS|two\r", MISCOUNTED, 0),
    "no trailers": (
        head("FHS", "F1") + head("BHS", "B1") + TWO,
        {**BOTH, "warnings": [["B1", "trailer_missing"], ["F1", "trailer_missing"]]}, None),
    "no trailer of the file": (
        head("FHS", "F1") + head("BHS") + TWO + "BTS|2\r", {**BOTH, "warnings": [["F1", "trailer_missing"]]}, 2),
    "no trailer of a batch": (
        head("FHS") + head("BHS", "B1") + ONE + head("BHS", "B2") + OTHER + "BTS|1\rFTS|2\r",
        {**BOTH, "warnings": [["B1", "trailer_missing"]]}, 1),
    "no frame": (TWO, BOTH, None),
}  # fmt: skip


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_comes_out_as_agreed(check_text: CheckText, read_text: ReadText, name: str) -> None:
    text, result, declared = BATCHES[name]
    for end in ("\r", "\n", "\r\n"):
        assert check_text(text.replace("\r", end)) == result
    assert read_text(text).declared_count == declared


TIMES: dict[str, tuple[str, datetime | None]] = {
    "batch": (head("BHS", at="20210805143104-0400"), datetime(2021, 8, 5, 18, 31, 4, tzinfo=UTC)),
    "file": (head("FHS", at="202108051431+0000"), datetime(2021, 8, 5, 14, 31, tzinfo=UTC)),
    "fraction": (head("FHS", at="20210805143104.1234-0400"), datetime(2021, 8, 5, 18, 31, 4, tzinfo=UTC)),
    "precision": (head("FHS", at="202108051431+0000^S"), datetime(2021, 8, 5, 14, 31, tzinfo=UTC)),
    "earlier": (head("FHS", at="20210805+0000") + head("BHS", at="20210806+0000"), datetime(2021, 8, 5, tzinfo=UTC)),
    "no zone": (head("BHS", at="202108051431"), None),
    "no time": (head("BHS"), None),
    "no day": (head("BHS", at="2021+0000"), None),
    "no date": (head("BHS", at="20210231000000+0000"), None),
    "message": ("", None),
}  # fmt: skip


@pytest.mark.parametrize("name", TIMES)
def test_a_batch_says_as_of_when_it_is(read_text: ReadText, name: str) -> None:
    text, at = TIMES[name]
    assert read_text(text + tell()).as_of_at == at


BIRTHS: dict[str, str | None] = {
    "19430608": None, "194306081530": None, "19430608153000-0500": None, "": None, '""': None,
    "194306": "dob_partial", "1943": "dob_partial", "19430631": "dob_unparseable", "06/08/1943": "dob_unparseable",
}  # fmt: skip


@pytest.mark.parametrize("born", BIRTHS)
def test_a_birth_date_comes_out_as_agreed(check_text: CheckText, born: str) -> None:
    code = BIRTHS[born]
    assert check_text(tell(born=born)) == {**PRESENT, "warnings": [["M1", code]] if code else []}


NAMES: dict[str, tuple[str, tuple[str | None, str | None]]] = {
    "plain": ("Doe^Ann^M", ("Doe", "Ann")),
    "legal before the first": ("Old^Ann^^^^^M~Doe^Ann^^^^^L", ("Doe", "Ann")),
    "first without legal": ("Doe^Ann^^^^^D~Old^Ann^^^^^M", ("Doe", "Ann")),
    "parts of the family name": ("van Doe&van&Doe^Ann^^^^^L", ("van Doe", "Ann")),
    "escaped": (r"O\T\Doe\S\\F\\R\\E\^Ann", ("O&Doe^|~\\", "Ann")),
    "hexadecimal": (r"N\XC3BA\ez^Ann", ("Núez", "Ann")),
    "null": ('""^Ann', (None, "Ann")),
    "none": ("", (None, None)),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_out_as_agreed(read_text: ReadText, name: str) -> None:
    text, (family, given) = NAMES[name]
    (person,) = read_text(tell(name=text)).demographics
    assert (person.family, person.given) == (family, given)


ENCODINGS: dict[str, tuple[str, str, str]] = {
    "UTF-8": ("UNICODE UTF-8", "utf-8", "Núñez"),
    "Latin-1": ("8859/1", "latin-1", "Núñez"),
    "Latin-2 as the first of two": ("8859/2~UNICODE UTF-8", "iso8859-2", "Łódź"),
    "Latin-2": ("8859/2", "iso8859-2", "Łódź"),
    "none, UTF-8": ("", "utf-8", "Núñez"),
    "none, Windows": ("", "cp1252", "Núñez’"),
    "ASCII that is not": ("ASCII", "cp1252", "Núñez"),
    "UTF-8 that is not": ("UNICODE UTF-8", "cp1252", "Núñez"),
    "unknown": ("ISO IR14", "utf-8", "Núñez"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_text_is_read_as_the_header_says(read_text: ReadText, name: str) -> None:
    charset, encoding, family = ENCODINGS[name]
    assert [
        one.family for one in read_text(tell(charset=charset, name=family or "").encode(encoding)).demographics
    ] == [family]


def test_a_segment_that_ends_in_any_letter_keeps_it(read_text: ReadText) -> None:
    text = tell(name="Doe^Ann").replace("||Doe^Ann||19390228|F", "||Doe^Lû")
    assert [one.given for one in read_text(text).demographics] == ["Lû"]


def test_each_message_of_a_batch_has_its_own_encoding(read_text: ReadText) -> None:
    first = tell(charset="8859/1", name="Núñez^A").encode("latin-1")
    second = tell(ident="M2", pid3=card(B), name="Núñez^B").encode("utf-8")
    assert [one.family for one in read_text(first + second).demographics] == ["Núñez", "Núñez"]


def test_a_byte_that_means_nothing_refuses_the_file(check_text: CheckText) -> None:
    text = tell(charset="", name="x").replace("|x|", "|\x81|").encode("latin-1")
    assert check_text(text) == expect(file_error="encoding_undecodable")


def test_production_wants_other_numbers(check_text: CheckText) -> None:
    text = tell(pid3=card(REAL), segments=[visit(doctor(M))]) + tell(ident="M2", segments=[visit(doctor(M))])
    text += tell(ident="M3", pid3=card(REAL))
    assert check_text(text, environment=Environment.PRODUCTION) == expect(
        present=[[REAL, M]],
        errors=[["M2", "mbi_synthetic_in_production"], ["M3", "npi_first_digit"]],
        protected_mbis=[REAL],
        blind_errors=1,
    )
