"""ADT messages: who is present, whose number changed, and which numbers count."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from service.rosters.reading import RosterReading

CheckText = Callable[..., dict[str, Any]]
ReadText = Callable[..., RosterReading]

A, B, C = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02"
N, M = "3905293015", "2323232225"
CARD = f"{A}^^^CMS^MC"
DOCTOR = f"{N}^Doe^Jane^^^^^^NPI"


def build_message(
    event: str = "A08", pid3: str = CARD, *segments: str, ident: str = "M1", at: str = "20210805", **more: str
) -> str:
    header = (
        f"MSH|^~\\&|EHR|SITE|||{at}||{more.get('kind', 'ADT')}^{event}|{ident}|P|2.5.1||||||{more.get('charset', '')}"
    )
    pid = f"PID|1||{pid3}||{more.get('name', 'Doe^Ann')}||{more.get('born', '19390228')}|{more.get('sex', 'F')}"
    return "\r".join([header, f"EVN|{event}", pid, *(segments or (f"PV1|1|O|C||||{DOCTOR}",))]) + "\r"


@pytest.mark.parametrize("event", ["A01", "A04", "A05", "A08", "A28", "A31"])
def test_these_events_say_that_a_patient_is_treated(check_text: CheckText, event: str) -> None:
    found = check_text(build_message(event))
    assert (found["format"], found["mode_signal"], found["file_error"]) == ("hl7v2", "delta", None)
    assert (found["present"], found["warnings"]) == ([[A, N]], [])


@pytest.mark.parametrize("event", ["A02", "A03", "A11", "A13", "A23", "A29", "A60", ""])
def test_other_events_say_nothing_and_never_remove(check_text: CheckText, event: str) -> None:
    found = check_text(build_message(event))
    assert (found["present"], found["remove"], found["warnings"]) == ([], [], [["M1", "event_ignored"]])
    assert check_text(build_message(kind="ORU"))["warnings"] == [["M1", "event_ignored"]]


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize(("start", "stop"), [("", ""), ("\x0b", "\x1c\r")])
def test_every_line_end_and_mllp_framing_is_read(check_text: CheckText, end: str, start: str, stop: str) -> None:
    text = (
        start + build_message().replace("\r", end) + stop + start + build_message(ident="M2", pid3=f"{B}^^^^MC") + stop
    )
    assert check_text(text)["present"] == [[A, N], [B, N]]


IDENTIFIERS = [
    (f"{A}^^^^MC", None),
    (f"{A.lower()}^^^USMBI^MBI", None),
    ("1S00-E00-AA00^^^MEDICARE^MC", None),
    (f"{A}^^^X&2.16.840.1.113883.4.927&ISO^MC", None),
    (f"{A}^^^CMS^MC~{A}^^^^MC", None),
    (f"20000000001^^^AUSHIC^MC~{A}^^^CMS^MC", None),
    ("20000000001^^^AUSHIC^MC", "mbi_missing"),
    (f"{A}^^^OTHER^MC", "mbi_missing"),
    (f"{A}^^^CMS^MB", "mbi_missing"),
    (f"{A}^^^CMS^MA", "mbi_missing"),
    (f"{A}^^^CMS^SS", "mbi_missing"),
    (A, "mbi_missing"),
    ("", "mbi_missing"),
    ('""', "mbi_missing"),
    (f"{A}^^^CMS^MC~{B}^^^CMS^MC", "multiple_mbi"),
    ("1S00E0OAA00^^^CMS^MC", "mbi_format"),
    ("987654329A^^^CMS^MC", "mbi_is_hicn"),
    ("1EG4TE5MK73^^^CMS^MC", "mbi_real_in_sandbox"),
]


@pytest.mark.parametrize(("pid3", "code"), IDENTIFIERS, ids=range(len(IDENTIFIERS)))
def test_the_one_mbi_among_the_identifiers_counts(check_text: CheckText, pid3: str, code: str | None) -> None:
    found = check_text(build_message(pid3=pid3))
    assert found["present"] == ([] if code else [[A, N]])
    assert found["errors"] == ([["M1", code]] if code else [])
    assert found["blind_errors"] == (1 if code else 0)


def tag(number: str) -> str:
    return f"{number}^Doe^Jane^^^^^^NPI&2.16.840.1.113883.4.6&ISO"


SOURCES: list[tuple[list[str], str, list[str]]] = [
    ([f"PD1||||{tag(N)}", f"PV1|1|O|||||{tag(M)}"], N, []),
    ([f"ROL|1|UC|PP^PCP|{tag(N)}", f"PV1|1|O|||||{tag(M)}"], N, []),
    ([f"ROL|1|UC|AT|{tag(N)}", f"PV1|1|O|||||{tag(M)}"], M, []),
    ([f"ROL|1|DE|PP|{tag(N)}", f"PV1|1|O|||||{tag(M)}"], M, []),
    ([f"PRT|1|UC||PP|{tag(N)}", f"PV1|1|O|||||{tag(M)}"], N, []),
    ([f"PV1|1|O|||||{tag(M)}", f"PD1||||{tag(N)}"], N, []),
    ([f"PV1|1|O||||||{tag(N)}|{tag(N)}"], "npi_missing", []),
    ([f"PV1|1|O|||||L1^Doe~{N}^Doe^^^^^^^^^^^NPI"], N, []),
    ([f"PV1|1|O|||||{N}^Doe^^^^^^^X&2.16.840.1.113883.4.6&ISO"], N, []),
    ([f"PV1|1|O|||||{N}^Doe^Jane"], "npi_missing", ["npi_untagged"]),
    (["PV1|1|O|||||57422^Doe"], "npi_missing", []),
    ([f"PD1||||{tag('57422')}", f"PV1|1|O|||||{tag(M)}"], M, []),
    ([f"PD1||||{tag('57422')}", f"PV1|1|O|||||{tag('3905293016')}"], "npi_length", []),
    ([f"PD1||||{N}^Doe", f"PV1|1|O|||||{tag(M)}"], M, ["npi_untagged"]),
    (["PV1|1"], "npi_missing", []),
]


@pytest.mark.parametrize(("segments", "answer", "warnings"), SOURCES, ids=range(len(SOURCES)))
def test_the_first_source_that_yields_a_marked_npi_counts(
    check_text: CheckText, segments: list[str], answer: str, warnings: list[str]
) -> None:
    found = check_text(build_message("A08", CARD, *segments))
    assert found["present"] == ([[A, answer]] if answer.isdigit() else [])
    assert found["errors"] == ([] if answer.isdigit() else [["M1", answer]])
    assert [code for _, code in found["warnings"]] == warnings
    assert found["blind_errors"] == 0


def build_rename(old: str, new: str, event: str = "A47", **more: str) -> str:
    return build_message(event, new, f"MRG|{old}", **more)


RENAMES = [
    (f"{A}^^^CMS^MC", f"{B}^^^CMS^MC", [[A, B]]),
    (f"MR1^^^X^MR~{A}^^^CMS^MC", f"MR1^^^X^MR~{B}^^^CMS^MC", [[A, B]]),
    (f"{A}^^^CMS^MC", f"{A}^^^CMS^MC", []),
    ("MR1^^^X^MR", f"{B}^^^CMS^MC", []),
    (f"{A}^^^CMS^MC", "MR1^^^X^MR", []),
    ("1EG4TE5MK73^^^CMS^MC", f"{B}^^^CMS^MC", []),
]


@pytest.mark.parametrize("event", ["A40", "A47"])
@pytest.mark.parametrize(("old", "new", "changes"), RENAMES, ids=range(len(RENAMES)))
def test_a_changed_number_is_a_rename_when_both_are_valid(
    check_text: CheckText, event: str, old: str, new: str, changes: list[Any]
) -> None:
    found = check_text(build_rename(old, new, event))
    assert (found["mbi_changes"], found["present"], found["errors"]) == (changes, [], [])
    assert found["warnings"] == ([] if changes else [["M1", "event_ignored"]])


def test_renames_are_in_the_order_in_which_they_were_sent(check_text: CheckText) -> None:
    later = build_rename(f"{B}^^^^MC", f"{C}^^^^MC", ident="M1", at="20210805143104.123-0400")
    early = build_rename(f"{A}^^^^MC", f"{B}^^^^MC", ident="M2", at="20210805183103+0000")
    assert check_text(later + early)["mbi_changes"] == [[A, B], [B, C]]


def test_the_latest_message_says_who_somebody_is(read_text: ReadText) -> None:
    late = build_message(name="Roe^Ann", at="202108060000")
    early = build_message(name="Doe^Ann", at="202108050000", ident="M2")
    assert [one.family for one in read_text(late + early).demographics] == ["Roe"]


def test_a_message_that_was_sent_twice_counts_once(check_text: CheckText) -> None:
    found = check_text(build_message() * 2 + build_message(ident="M2") + build_message(ident=""))
    assert found["present"] == [[A, N]]
    assert found["warnings"] == [["M1", "duplicate_row"], ["M2", "duplicate_row"], ["#4", "duplicate_row"]]


def test_names_are_split_before_their_escapes_are_undone(read_text: ReadText) -> None:
    name = r"O\T\Brien\S\X&van&der^S\E\e\F\n\XC3A9\\.br\x\Zq\^^^^^L"
    (person,) = read_text(build_message(name="Other^Name^^^^^M~" + name)).demographics
    assert (person.family, person.given, person.gender) == ("O&Brien^X", "S\\e|né x", "female")
    assert person.birth_on == date(1939, 2, 28)


BIRTHS = [("19390228", []), ("193902281530", []), ("194107", ["dob_partial"]), ("1941", ["dob_partial"]), ("", []),
          ("19410231", ["dob_unparseable"]), ("1941-02-03", ["dob_unparseable"])]  # fmt: skip


@pytest.mark.parametrize(("born", "codes"), BIRTHS)
def test_a_birth_date_is_its_first_eight_digits(check_text: CheckText, born: str, codes: list[str]) -> None:
    found = check_text(build_message(born=born))
    assert [code for _, code in found["warnings"]] == codes


@pytest.mark.parametrize(
    ("charset", "encoding"),
    [("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"), ("8859/2", "iso8859-2"), ("", "utf-8"), ("", "cp1252")],
)
def test_the_header_says_how_text_is_encoded(read_text: ReadText, charset: str, encoding: str) -> None:
    text = build_message(name="N\u00fa\u00f1ez" if encoding != "iso8859-2" else "\u0141\u00f3d\u017a", charset=charset)
    assert read_text(text.encode(encoding)).demographics[0].family in ("N\u00fa\u00f1ez", "\u0141\u00f3d\u017a")


def test_a_deceased_patient_is_held(check_text: CheckText) -> None:
    dead = build_message().replace("|F\r", "|F" + "|" * 21 + "20210101\r")
    assert check_text(dead)["errors"] == [["M1", "deceased_hold"]]
    assert check_text(dead.replace("20210101\r", "|Y\r"))["errors"] == [["M1", "deceased_hold"]]


HEAD, TAIL = "FHS|^~\\&|E|S|||||||F1\rBHS|^~\\&|E|S|||||||B1\r", "BTS|1\rFTS|1\r"
BATCHES = [
    (HEAD + build_message() + TAIL, None, []),
    (HEAD + build_message() + "BTS\rFTS\r", None, []),
    (HEAD + build_message(), None, [["B1", "trailer_missing"], ["F1", "trailer_missing"]]),
    (HEAD + build_message() + "BTS|1\r", None, [["F1", "trailer_missing"]]),
    (HEAD + build_message() + "BTS|2\rFTS|1\r", "count_mismatch", []),
    (HEAD + build_message() + "BTS|1\rFTS|2\r", "count_mismatch", []),
    (HEAD + build_message() + "BTS|one\rFTS|1\r", "count_mismatch", []),
    (HEAD + "BTS|0\rFTS|1\r", None, []),
    ("FHS|^~\\&|E\r" + build_message() + "FTS|1\r", None, []),
    ("BHS|^~\\&|E\r" + build_message() + "BTS|1\rBHS|^~\\&|E\r" + build_message(ident="M2", pid3=f"{B}^^^^MC")
     + "BTS|1\r", None, []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "error", "warnings"), BATCHES, ids=range(len(BATCHES)))
def test_a_batch_is_held_to_its_counts(
    check_text: CheckText, text: str, error: str | None, warnings: list[Any]
) -> None:
    found = check_text(text)
    assert (found["file_error"], found["warnings"]) == (error, warnings)


def test_one_broken_message_costs_no_other(check_text: CheckText) -> None:
    found = check_text(build_message() + "MSH\rPID|1||x\r" + build_message(ident="M3", pid3=f"{B}^^^^MC"))
    assert found["present"] == [[A, N], [B, N]]
    assert (found["errors"], found["blind_errors"]) == ([["#2", "mbi_missing"]], 1)


def test_other_delimiters_are_taken_from_the_header(check_text: CheckText) -> None:
    text = build_message().translate(str.maketrans("|^~&", "!*%@"))
    assert check_text(text)["present"] == [[A, N]]


def test_nothing_is_logged_about_an_escape_that_is_wrong(check_text: CheckText, caplog: Any) -> None:
    assert check_text(build_message(name=r"Doe\Xzz\\.sp999999999\^Ann\\"))["present"] == [[A, N]]
    assert caplog.records == []
