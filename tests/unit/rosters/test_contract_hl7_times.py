"""Deaths and ends in ADT messages, their order and their encoding, case by case."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from readings import build_result

from service.rosters.reading import RosterReading

CheckText = Callable[..., dict[str, Any]]
ReadText = Callable[..., RosterReading]

A, B, C, D = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02", "1S00E00AA03"
N, M = "3905293015", "2323232225"
TODAY = date(2021, 8, 15)


def expect(**parts: Any) -> dict[str, Any]:
    return build_result(format="hl7v2", mode_signal="delta", **parts)


def doctor(npi: str) -> str:
    return f"{npi}^Doe^Jane^^^^^^NPI^L^^^NPI"


def visit(npi: str) -> str:
    return f"PV1|1|O|C||||{doctor(npi)}\r"


def patient(mbi: str = A, end: str = "") -> str:
    return f"PID|1||{mbi}^^^CMS^MC||Doe^Ann^^^^^L||19390228|F{'|' * 21}{end}\r"


def tell(event: str, ident: str, *segments: str, **more: str) -> str:
    kind, sender, charset = more.get("kind", "ADT"), more.get("sender", "EHR|HC"), more.get("charset", "UNICODE UTF-8")
    header = f"MSH|^~\\&|{sender}|RC|RO|20210805143104-0400||{kind}^{event}|{ident}|P|2.5.1||||||{charset}\r"
    return header + f"EVN|{event}\r" + "".join(segments)


def merge(old: str, new: str, end: str = "") -> str:
    return tell("A47", "M2", patient(new, end), f"MRG|{old}^^^CMS^MC\r")


FIRST = tell("A01", "M1", patient(), visit(N))
HELD = [["M1", "deceased_hold"]]
HELD_BY_IGNORED = expect(errors=HELD, warnings=[["M2", "event_ignored"]], protected_mbis=[A])
DEATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "discharge": (FIRST + tell("A03", "M2", patient(end="20210801|Y"), visit(N)), HELD_BY_IGNORED),
    "date alone": (FIRST + tell("A03", "M2", patient(end="20210801")), HELD_BY_IGNORED),
    "indicator alone": (FIRST + tell("A03", "M2", patient(end="|y")), HELD_BY_IGNORED),
    "deleted": (FIRST + tell("A29", "M2", patient(end="|Y")), HELD_BY_IGNORED),
    "unknown event": (FIRST + tell("", "M2", patient(end="|Y")), HELD_BY_IGNORED),
    "second of a swap": (
        FIRST + tell("A17", "M2", patient(B), patient(end="|Y")), HELD_BY_IGNORED),
    "alive": (
        FIRST + tell("A03", "M2", patient(end='""|N')), expect(present=[[A, N]], warnings=[["M2", "event_ignored"]])),
    "another patient": (
        FIRST + tell("A03", "M2", patient(B, "|Y")),
        expect(present=[[A, N]], warnings=[["M2", "event_ignored"]], protected_mbis=[B])),
    "nobody knows who": (
        FIRST + tell("A03", "M2", patient("", "|Y")), expect(present=[[A, N]], warnings=[["M2", "event_ignored"]])),
    "no ADT": (
        FIRST + tell("R01", "M2", patient(end="|Y"), kind="ORU"),
        expect(present=[[A, N]], warnings=[["M2", "event_ignored"]])),
    "before": (
        tell("A03", "M2", patient(end="|Y")) + FIRST, HELD_BY_IGNORED),
    "twice": (
        FIRST + tell("A03", "M2", patient(end="|Y")) + tell("A08", "M3", patient(), visit(M)),
        expect(errors=[*HELD, ["M3", "deceased_hold"]], warnings=[["M2", "event_ignored"]], protected_mbis=[A])),
    "sent again with it": (
        FIRST + tell("A01", "M1", patient(end="|Y"), visit(N)),
        expect(errors=HELD, warnings=[["M1", "duplicate_row"]], protected_mbis=[A])),
    "in an event that counts": (
        tell("A08", "M1", patient(end="|Y")) + tell("A08", "M2", patient(), visit(N)),
        expect(errors=[*HELD, ["M2", "deceased_hold"]], protected_mbis=[A])),
    "beside another fault": (
        tell("A08", "M1", patient(), visit("57422")) + tell("A03", "M2", patient(end="|Y")),
        expect(errors=[["M1", "npi_length"]], warnings=[["M2", "event_ignored"]], protected_mbis=[A])),
    "under a new number": (
        FIRST + merge(A, B, "|Y"), expect(errors=HELD, mbi_changes=[[A, B]], protected_mbis=[A, B])),
    "after a new number": (
        FIRST + merge(A, B) + tell("A03", "M3", patient(B, "|Y")),
        expect(errors=HELD, mbi_changes=[[A, B]], warnings=[["M3", "event_ignored"]], protected_mbis=[A, B])),
    "before a new number": (
        tell("A03", "M3", patient(A, "|Y")) + merge(A, B) + tell("A01", "M1", patient(B), visit(N)),
        expect(errors=HELD, mbi_changes=[[A, B]], warnings=[["M3", "event_ignored"]], protected_mbis=[A, B])),
    "beside a new number": (
        tell("A03", "M3", patient(C, "|Y")) + merge(A, B),
        expect(mbi_changes=[[A, B]], warnings=[["M3", "event_ignored"]], protected_mbis=[C])),
}  # fmt: skip


@pytest.mark.parametrize("name", DEATHS)
def test_a_death_that_any_event_tells_holds_its_patient(check_text: CheckText, name: str) -> None:
    text, result = DEATHS[name]
    assert check_text(text) == result


def test_whoever_is_held_is_nobody_to_register(read_text: ReadText) -> None:
    assert read_text(DEATHS["discharge"][0]).demographics == ()


ENDS: dict[str, tuple[str, str]] = {
    "no dates": ("|", N),
    "null": ('""|""', N),
    "ended": ("20190101|20200101", M),
    "ended yesterday": ("20190101|20210814", M),
    "ends today": ("20190101|20210815", N),
    "ends today at an hour": ("|20210815000000-0400", N),
    "ended at an hour": ("|202108142359+0000^S", M),
    "ends later": ("20190101|20300101", N),
    "ended last month": ("|202107", M),
    "ends this month": ("|202108", N),
    "ended last year": ("|2020", M),
    "ends this year": ("|2021", N),
    "end that no calendar has": ("|20210230", M),
    "end that is no date": ("|never", M),
    "begins tomorrow": ("20210816|", M),
    "begins today": ("20210815|", N),
    "begins this month": ("202108|", N),
    "begins next month": ("202109|", M),
    "begins next year": ("2022|20300101", M),
    "begin that is no date": ("x|", N),
}


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("segment", ["ROL|1|UC|PP|{}|{}\r", "PRT|1|UC||PP|{}||||||{}\r"])
def test_a_role_counts_while_it_lasts(check_text: CheckText, segment: str, name: str) -> None:
    dates, npi = ENDS[name]
    text = tell("A08", "M1", patient(), segment.format(doctor(N), dates), visit(M))
    assert check_text(text, today=TODAY) == expect(present=[[A, npi]])
    assert check_text(text) == expect(present=[[A, N]]), "without today no date is compared"


def test_nobody_treats_by_a_role_that_has_ended(check_text: CheckText) -> None:
    ended = tell("A08", "M1", patient(), f"ROL|1|UC|PP|{doctor(N)}|20190101|20200101\r")
    assert check_text(ended, today=TODAY) == expect(errors=[["M1", "npi_missing"]], protected_mbis=[A])
    lasting = ended + f"ROL|2|UC|PP|{doctor(M)}|20200102\r"
    assert check_text(lasting, today=TODAY) == expect(present=[[A, M]])


def test_findings_come_in_the_order_of_the_input_whatever_messages_are_called(read_text: ReadText) -> None:
    text = tell("A08", "M1", patient(), visit(N)) + tell("A08", "M2", patient(B)) + tell("A03", "M3", patient(B))
    text += tell("A08", "M1", patient(C), sender="LAB|X") + tell("A08", "M4", patient(D), f"PV1|1||||||{N}\r")
    found = [(one.position, one.code) for one in read_text(text).findings]
    assert found[:4] == [("M2", "npi_missing"), ("M3", "event_ignored"), ("M1", "npi_missing"), ("M4", "npi_missing")]
    assert found[4:] == [("M4", "npi_untagged")]


MARKED = ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"]


@pytest.mark.parametrize("charset", ["8859/1", "8859/2", "ASCII", "UNICODE UTF-8", ""])
@pytest.mark.parametrize("encoding", MARKED)
def test_what_the_first_bytes_show_goes_before_the_header(read_text: ReadText, encoding: str, charset: str) -> None:
    text = tell("A08", "M1", patient().replace("Doe", "N\u00fa\u00f1ez"), visit(N), charset=charset)
    assert [one.family for one in read_text(text.encode(encoding)).demographics] == ["N\u00fa\u00f1ez"]


def test_a_message_that_is_not_what_the_mark_says_is_what_its_header_says(read_text: ReadText) -> None:
    text = tell("A08", "M1", patient().replace("Doe", "\u0141\u00f3d\u017a"), visit(N), charset="8859/2")
    marked = b"\xef\xbb\xbf" + text.encode("iso8859-2")
    assert [one.family for one in read_text(marked).demographics] == ["\u0141\u00f3d\u017a"]
