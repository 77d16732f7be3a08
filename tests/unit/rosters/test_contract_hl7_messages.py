"""Where one ADT message ends and the next begins, case by case: nobody is given the practitioner of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from readings import build_result

from service.rosters.reading import RosterReading

CheckText = Callable[..., dict[str, Any]]
ReadText = Callable[..., RosterReading]

A, B, C, D = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02", "1S00E00AA03"
N, M = "3905293015", "2323232225"


def expect(**parts: Any) -> dict[str, Any]:
    return build_result(format="hl7v2", mode_signal="delta", **parts)


def header(ident: str, event: str = "A08") -> str:
    return f"MSH|^~\\&|EHR|HC|RC|RO|20210805143104-0400||ADT^{event}^ADT_A01|{ident}|P|2.5.1||||||UNICODE UTF-8\r"


def patient(mbi: str) -> str:
    return f"PID|1||{mbi}^^^CMS^MC||Doe^Ann^^^^^L||19390228|F\r"


def doctor(npi: str) -> str:
    return f"{npi}^Doe^Jane^^^^^^NPI^L^^^NPI"


def visit(npi: str) -> str:
    return f"PV1|1|O|C||||{doctor(npi)}\r"


def chosen(npi: str) -> str:
    return f"PD1||||{doctor(npi)}\r"


def replaced(mbi: str) -> str:
    return f"MRG|{mbi}^^^CMS^MC\r"


EVN = "EVN|A08|20210805143104-0400\r"
FIRST_BODY = EVN + patient(A) + visit(N)
BODY = EVN + patient(B) + chosen(M) + visit(M)
FIRST = header("M1") + FIRST_BODY
SECOND = header("M2") + BODY
THIRD = header("M3") + EVN + patient(C) + visit(M)
PLAIN = expect(present=[[A, N], [B, M]])
FOUND = {
    "log prefix": FIRST + "2021-08-05 14:31:05 " + SECOND,
    "MLLP without a line end": f"\x0b{FIRST}\x1c\x0b{SECOND}\x1c\r",
    "MLLP in the last line": f"\x0b{FIRST[:-1]}\x1c\x0b{SECOND[:-1]}\x1c",
    "form feed": FIRST + "\x0c" + SECOND,
    "quotation mark": FIRST + '"' + SECOND,
    "STX and ETX": f"\x02{FIRST}\x03\x02{SECOND}\x03"[1:],
    "record separator": FIRST + "\x1e" + SECOND,
    "NBSP": FIRST + "\u00a0" + SECOND,
    "byte order mark": FIRST + "\ufeff" + SECOND,
    "many blanks": FIRST + " " * 40 + SECOND,
    "small letters": FIRST + SECOND.replace("MSH|", "msh|"),
    "small letters behind a prefix": FIRST + "> " + SECOND.replace("MSH|", "msh|"),
    "no line end before": FIRST[:-1] + SECOND,
    "no line end before, after a segment that is not read": FIRST + "NTE|1||text" + SECOND,
    "other delimiters": FIRST + "> " + SECOND.translate(str.maketrans("|^~\\&", "#*+?%")),
    "few delimiters": FIRST + "> " + SECOND.replace("^~\\&", "^~"),
    "one more delimiter": FIRST + "> " + SECOND.replace("^~\\&", "^~\\&#"),
    "a tabulator of its own in a text": FIRST.replace("Doe^Ann", "Doe^An\x0bn") + SECOND,
}


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_message_that_plainly_begins_is_one_of_its_own(check_text: CheckText, name: str, end: str) -> None:
    assert check_text(FOUND[name].replace("\r", end)) == PLAIN


def test_a_prefix_in_another_encoding_is_passed_over(check_text: CheckText) -> None:
    assert check_text(FIRST.encode() + b"\xa0" + SECOND.encode()) == PLAIN


BATCH = "BHS|^~\\&|E|S|||||||B1\r"


def test_a_message_behind_a_prefix_is_counted(check_text: CheckText) -> None:
    assert check_text(f"{BATCH}{FIRST}> {SECOND}BTS|2\r") == PLAIN
    assert check_text(f"{BATCH}{FIRST}> {SECOND}BTS|1\r") == expect(file_error="count_mismatch")


@pytest.mark.parametrize("text", ["MSH", "MSH is missing", "MSH-9", "MSH|", "MSH||||", "MSH....", "msh: see MSH|^^|"])
def test_a_text_that_names_the_header_begins_nothing(check_text: CheckText, text: str) -> None:
    told = FIRST.replace("PV1", f"NTE|1||{text}\r{'x' + text}\rPV1").replace("Doe^Ann", f"Doe {text}^Ann")
    assert check_text(told) == expect(present=[[A, N]])


@pytest.mark.parametrize("text", ["EVNs", "EVN", "PID is wrong", "PV1: none", "PD12", "ROLE of nobody", "MSG|^~\\&|"])
def test_a_line_of_a_text_is_no_segment(check_text: CheckText, text: str) -> None:
    assert check_text(f"{FIRST}OBX|1|TX|||see\n{text.lower()}\n{text} here\n{SECOND}") == PLAIN


def blind(*places: str, **parts: Any) -> dict[str, Any]:
    """The result where a patient of each of these places cannot be told."""
    return expect(errors=[[place, "mbi_missing"] for place in places], blind_errors=len(places), **parts)


LOST = blind("#2", present=[[A, N]])
LOST_FIRST = blind("#1", present=[[B, M]])
UNCLOSED = [["B1", "trailer_missing"]]
UNKNOWN: dict[str, tuple[str, dict[str, Any]]] = {
    "header lost": (FIRST + BODY, LOST),
    "header and event lost": (FIRST + BODY.removeprefix(EVN), LOST),
    "header damaged": (FIRST + "MS|^~\\&|EHR\r" + BODY, LOST),
    "delimiters damaged": (FIRST + "MSH^~\\&|EHR\r" + BODY, LOST),
    "two headers lost": (FIRST + BODY + EVN + patient(C) + visit(N), LOST),
    "between two": (FIRST + BODY + THIRD, blind("#2", present=[[A, N], [C, M]])),
    "after an event that is ignored": (
        header("M1", "A03") + FIRST_BODY + BODY, blind("#2", warnings=[["M1", "event_ignored"]])),
    "after a merge": (header("M1", "A40") + EVN + patient(A) + replaced(D) + BODY, blind("#2", mbi_changes=[[D, A]])),
    "after another number": (
        header("M1", "A47") + EVN + patient(A) + replaced(D) + BODY, blind("#2", mbi_changes=[[D, A]])),
    "no event in the first": (header("M1") + patient(A) + visit(N) + BODY, LOST),
    "third patient of a swap": (
        header("M1", "A17") + EVN + patient(A) + visit(N) + patient(C) + visit(N) + patient(B) + visit(M),
        blind("#2", warnings=[["M1", "event_ignored"]])),
    "batch begins without header": (BATCH + BODY + SECOND, LOST_FIRST | {"warnings": UNCLOSED}),
    "segments of a visit begin": (BATCH + visit(N) + SECOND, LOST_FIRST | {"warnings": UNCLOSED}),
    "batch goes on without header": (
        BATCH + FIRST[: -len(visit(N))] + "BTS|1\r" + BATCH + visit(M) + "BTS|0\r",
        expect(errors=[["M1", "npi_missing"], ["#2", "mbi_missing"]], protected_mbis=[A], blind_errors=1)),
    "frame without header": (
        f"\x0b{FIRST[: -len(visit(N))]}\x1c\r\x0b{visit(M)}\x1c\r",
        expect(errors=[["M1", "npi_missing"], ["#2", "mbi_missing"]], protected_mbis=[A], blind_errors=1)),
    "frame without header or line end": (f"\x0b{FIRST}\x1c\x0b{BODY}\x1c\r\x0b{THIRD}\x1c\r",
        blind("#2", present=[[A, N], [C, M]])),
    "the first lost its patient": (
        header("M1") + EVN + visit(N) + BODY.removeprefix(EVN), blind("M1", "#2")),
    "the first lost all but its event": (header("M1") + EVN + BODY, blind("M1", "#2")),
}  # fmt: skip


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_segments_of_an_unknown_message_are_a_blind_error_of_their_own(
    check_text: CheckText, name: str, end: str
) -> None:
    text, result = UNKNOWN[name]
    assert check_text(text.replace("\r", end)) == result


def test_segments_of_an_unknown_message_are_a_row_and_no_message_that_a_trailer_counts(read_text: ReadText) -> None:
    counted = read_text(f"{BATCH}{FIRST}{BODY}BTS|1\r")
    assert (counted.file_error, counted.data_rows, list(counted.positions)) == (None, 2, ["M1", "#2"])
    assert read_text(f"{BATCH}{FIRST}{BODY}BTS|2\r").file_error == "count_mismatch"
    assert read_text(BATCH + BODY).file_error == "unsupported_format_hl7v2"
    assert read_text(FIRST + BODY, max_rows=1).file_error == "too_large"


TORN = expect(errors=[["M1", "ragged_row"]], protected_mbis=[A])
MIXED: dict[str, tuple[str, dict[str, Any]]] = {
    "two visits": (visit(N) + visit(M), TORN),
    "two choices": (chosen(N) + chosen(M), TORN),
    "choice of another behind": (visit(N) + chosen(M) + visit(M), TORN),
    "the same visit twice": (visit(N) * 2, expect(present=[[A, N]])),
    "the same choice twice": (chosen(N) * 2 + visit(M), expect(present=[[A, N]])),
    "roles of one visit": (
        f"ROL|1|UC|AT|{doctor(M)}\rROL|2|UC|PP|{doctor(N)}\r" + visit(M), expect(present=[[A, N]])),
}  # fmt: skip


@pytest.mark.parametrize("name", MIXED)
def test_nobody_chooses_between_what_may_be_of_two_messages(check_text: CheckText, name: str) -> None:
    text, result = MIXED[name]
    assert check_text(header("M1") + EVN + patient(A) + text) == result


SEVERAL_PATIENTS = ["A17", "A18", "A24", "A30", *(f"A{number}" for number in range(34, 52))]


@pytest.mark.parametrize("event", SEVERAL_PATIENTS)
def test_events_that_tell_of_several_patients_are_one_message(check_text: CheckText, event: str) -> None:
    text = header("M1", event) + EVN + patient(A) + replaced(B) + visit(N) + patient(C) + replaced(D) + visit(M)
    result = {"mbi_changes": [[B, A], [D, C]]} if event in ("A40", "A47") else {"warnings": [["M1", "event_ignored"]]}
    assert check_text(text) == expect(**result)
    in_event = text.replace(f"ADT^{event}^ADT_A01", "ADT").replace("EVN|A08", f"EVN|{event}")
    assert check_text(in_event) == expect(**result), "EVN-1 stands in for MSH-9"
