"""What JSON lists of pairs and their envelope must come out as, case by case."""

from __future__ import annotations

import json
from collections.abc import Callable
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


def expect(signal: str = "none", **parts: Any) -> dict[str, Any]:
    return build_result(format="json", mode_signal=signal, **parts)


def wrap(*pairs: Any, **envelope: Any) -> dict[str, Any]:
    return {**envelope, "pairs": list(pairs)}


def pair(mbi: Any = A, npi: Any = N, **more: Any) -> dict[str, Any]:
    return {"mbi": mbi, "npi": npi, **more}


PAIRS: dict[str, tuple[Any, dict[str, Any]]] = {
    "empty array": ([], expect()),
    "objects": ([pair(), pair(B, M)], expect(present=[[A, N], [B, M]])),
    "arrays": ([[A, N], [B, M]], expect(present=[[A, N], [B, M]])),
    "both kinds": ([[A, N], pair(B, M)], expect(present=[[A, N], [B, M]])),
    "headings of other senders": (
        [{"BENE_MBI_ID": A, "VA_NPI": N}, {"Current MBI": B, "PCP NPI": M}, {"memberMbi": C, "practitioner-npi": P}],
        expect(present=[[A, N], [B, M], [C, P]]),
    ),
    "whole number": ([pair(npi=int(N))], expect(present=[[A, N]])),
    "float": ([pair(npi=3905293015.0)], expect(errors=[[0, "npi_format"]], protected_mbis=[A])),
    "exponent": ([[A, 3.9e9]], expect(errors=[[0, "npi_format"]], protected_mbis=[A])),
    "text of a float": ([pair(npi=N + ".0")], expect(present=[[A, N]])),
    "text with exponent": ([pair(npi="3.90529E+09")], expect(errors=[[0, "npi_scientific"]], protected_mbis=[A])),
    "short whole number": ([[A, 390529301]], expect(errors=[[0, "npi_length"]], protected_mbis=[A])),
    "card number": ([[A, "80840" + N]], expect(present=[[A, N]])),
    "check digit": ([[A, "9941339108"]], expect(errors=[[0, "npi_luhn"]], protected_mbis=[A])),
    "old length": ([[A, "110001029483"]], expect(errors=[[0, "npi_length"]], protected_mbis=[A])),
    "true": ([[A, True]], expect(errors=[[0, "npi_format"]], protected_mbis=[A])),
    "null npi": ([[A, None]], expect(errors=[[0, "npi_missing"]], protected_mbis=[A])),
    "null mbi": ([[None, N]], expect(errors=[[0, "mbi_missing"]], blind_errors=1)),
    "no npi": ([{"mbi": A}], expect(errors=[[0, "npi_missing"]], protected_mbis=[A])),
    "no mbi": ([pair(), {"npi": N}], expect(present=[[A, N]], errors=[[1, "mbi_missing"]], blind_errors=1)),
    "dashes and case": ([["1s00-e00-aa00", N]], expect(present=[[A, N]])),
    "blanks": ([[f" {A}\u00a0", f"\ufeff{N} "]], expect(present=[[A, N]])),
    "full-width": ([["１S00E00AA00", N]], expect(errors=[[0, "mbi_format"]], blind_errors=1)),
    "letter O": ([["1SO0E00AA0O", N]], expect(errors=[[0, "mbi_format"]], blind_errors=1)),
    "a real number": ([[REAL, N]], expect(errors=[[0, "mbi_real_in_sandbox"]], blind_errors=1)),
    "HICN": ([["987654329A", N]], expect(errors=[[0, "mbi_is_hicn"]], blind_errors=1)),
    "SSN": ([["987-65-4329", N]], expect(errors=[[0, "mbi_is_ssn"]], blind_errors=1)),
    "bene_id": ([["-19990000002901", N]], expect(errors=[[0, "mbi_length"]], blind_errors=1)),
    "leading zero": ([["0S00E00AA00", N]], expect(present=[["0S00E00AA00", N]])),
    "HICN beside the MBI": ([pair(hicn="987654329A", ssn="987654329")], expect(present=[[A, N]])),
    "organization beside the person": ([pair(billing_npi=P, group_npi=P)], expect(present=[[A, N]])),
    "organization alone": ([{"mbi": A, "billing_npi": P}], expect(errors=[[0, "npi_missing"]], protected_mbis=[A])),
    "same pair again": ([[A, N], [B, N], [A, N]], expect(present=[[A, N], [B, N]], warnings=[[2, "duplicate_row"]])),
    "two practitioners": ([[A, N], [A, M]], expect(present=[[A, N], [A, M]], warnings=[[1, "mbi_multiple_npi"]])),
    "array of three": ([[A, N, "x"]], expect(errors=[[0, "ragged_row"]], protected_mbis=[A])),
    "array of one": ([[A, N], [B]], expect(present=[[A, N]], errors=[[1, "ragged_row"]], protected_mbis=[B])),
    "no pair at all": ([[A, N], "x"], expect(present=[[A, N]], errors=[[1, "ragged_row"]], blind_errors=1)),
    "death": (
        [pair(dateOfDeath="2021-01-01"), pair(B)],
        expect(present=[[B, N]], errors=[[0, "deceased_hold"]], protected_mbis=[A]),
    ),
    "birth dates": (
        [pair(dob="02/28/39"), pair(B, dob="1939-02-28T00:00:00Z"), pair(C, dob="28-FEB-1939"), pair(D, dob="14304")],
        expect(present=[[A, N], [B, N], [C, N], [D, N]],
               warnings=[[0, "dob_two_digit_year"], [3, "dob_excel_serial"]]),
    ),
    "protected once, in order": (
        [[B, "1"], [A, "1"], [B, "2"]],
        expect(errors=[[n, "npi_length"] for n in range(3)], protected_mbis=[B, A]),
    ),
    "two candidates": ([{"mbi": A, "provider_npi": N, "pcp_npi": M}], expect(file_error="ambiguous_columns")),
    "other objects": ([{"id": 1}], expect(file_error="header_unrecognised")),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_come_out_as_agreed_bare_and_in_an_envelope(check_text: CheckText, name: str) -> None:
    pairs, result = PAIRS[name]
    assert check_text(json.dumps(pairs)) == result
    assert check_text(json.dumps({"pairs": pairs, "scope": {"npis": [N]}})) == result


ENVELOPES: dict[str, tuple[Any, dict[str, Any]]] = {
    "snapshot": (wrap([A, N], mode="snapshot"), expect("snapshot", present=[[A, N]])),
    "delta": (wrap([A, N], mode="delta"), expect("delta", present=[[A, N]])),
    "no mode": (wrap([A, N]), expect(present=[[A, N]])),
    "mode behind the pairs": ({"pairs": [[A, N]], "mode": "snapshot"}, expect("snapshot", present=[[A, N]])),
    "empty snapshot": (wrap(mode="snapshot", count=0), expect("snapshot")),
    "actions": (
        wrap(pair(action="add"), pair(B, action="remove"), pair(C, action="D"), pair(D), mode="delta"),
        expect("delta", present=[[A, N], [D, N]], remove=[[B, N], [C, N]]),
    ),
    "all practitioners": (
        wrap({"mbi": A, "action": "remove"}, pair(B, "", action="remove"), pair(C, None, action="remove"),
             mode="delta"),
        expect("delta", remove=[[A, None], [B, None], [C, None]]),
    ),
    "removal with a wrong number": (
        wrap(pair(npi="1", action="remove"), mode="delta"),
        expect("delta", errors=[[0, "npi_length"]], protected_mbis=[A]),
    ),
    "unknown actions": (
        wrap(pair(action="purge"), pair(B, action=""), pair(C, action=None), pair(D, action=1), mode="delta"),
        expect("delta", errors=[[n, "bad_action"] for n in range(4)], protected_mbis=[A, B, C, D]),
    ),
    "added and removed": (
        wrap(pair(action="add"), pair(action="remove"), pair(B), mode="delta"),
        expect("delta", present=[[B, N]], errors=[[0, "conflicting_actions"], [1, "conflicting_actions"]],
               protected_mbis=[A]),
    ),
    "actions in a snapshot": (wrap(pair(action="add"), mode="snapshot"), expect("delta", present=[[A, N]])),
    "unknown mode": (wrap([A, N], mode="full"), expect(file_error="unsupported_format_json")),
    "mode in capitals": (wrap([A, N], mode="SNAPSHOT"), expect(file_error="unsupported_format_json")),
    "no pairs": ({"mode": "snapshot"}, expect(file_error="unsupported_format_json")),
    "pairs that are none": ({"pairs": {A: N}}, expect(file_error="unsupported_format_json")),
    "fewer than counted": (wrap([A, N], mode="snapshot", count=2), expect("snapshot", file_error="count_mismatch")),
    "more than counted": (wrap([A, N], [B, N], mode="delta", count=1), expect("delta", file_error="count_mismatch")),
    "count with a point": (wrap([A, N], count=1.0), expect(present=[[A, N]])),
    "wrong count with a point": (wrap([A, N], count=2.0), expect(file_error="count_mismatch")),
    "count with a fraction": (wrap([A, N], count=1.5), expect(file_error="count_mismatch")),
    "count of no end": (wrap([A, N], count=1e300), expect(file_error="count_mismatch")),
    "count as a text": (wrap([A, N], count="1"), expect(file_error="count_mismatch")),
    "repeats are counted": (
        wrap([A, N], [A, N], count=2), expect(present=[[A, N]], warnings=[[1, "duplicate_row"]])
    ),
    "errors are counted": (
        wrap([A, N], [B, ""], 7, count=3),
        expect(present=[[A, N]], errors=[[1, "npi_missing"], [2, "ragged_row"]], protected_mbis=[B], blind_errors=1),
    ),
    "a time without zone": (wrap([A, N], as_of="2021-08-05T04:00:00"), expect(file_error="unsupported_format_json")),
}  # fmt: skip


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_comes_out_as_agreed(check_text: CheckText, name: str) -> None:
    document, result = ENVELOPES[name]
    assert check_text(json.dumps(document)) == result
    assert check_text("\ufeff\r\n" + json.dumps(document, indent=1)) == result


TEXTS = {
    "cut in a text": ('[{"mbi":"' + A, "truncated"),
    "cut behind a pair": (f'[["{A}","{N}"],', "truncated"),
    "cut behind the pairs": (f'{{"mode":"snapshot","pairs":[["{A}","{N}"]]', "truncated"),
    "cut in a word": ('{"mode":"delta","extra":fals', "truncated"),
    "cut in a number": (f'[["{A}",3905293015.', "truncated"),
    "a word that is none": ('{"mode":"delta","extra":fals}', "unsupported_format_json"),
    "key twice": (f'[{{"mbi":"{A}","mbi":"{B}","npi":"{N}"}}]', "unsupported_format_json"),
    "key twice in the envelope": (
        '{"mode":"delta","mode":"snapshot","pairs":[]}', "unsupported_format_json"
    ),
    "text behind the end": (f'[["{A}","{N}"]] end', "unsupported_format_json"),
    "trailing comma": (f'[["{A}","{N}"],]', "unsupported_format_json"),
    "single quotes": ("[{'mbi': 1}]", "unsupported_format_json"),
    "one pair alone": (json.dumps(pair()), "unsupported_format_json"),
    "bytes that are no UTF-8": (b'[["' + A.encode() + b'","\xf1"]]', "encoding_undecodable"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_json_that_cannot_be_taken_at_its_word_is_refused_whole(check_text: CheckText, name: str) -> None:
    text, error = TEXTS[name]
    assert check_text(text) == expect(file_error=error)


def test_production_wants_other_numbers(check_text: CheckText) -> None:
    pairs = [[REAL, M], [A, M], [REAL, N], ["1SG4TE5MK73", M], ["0EG4TE5MK73", M], ["1EG4TE5MB73", M]]
    assert check_text(json.dumps(pairs), environment=Environment.PRODUCTION) == expect(
        present=[[REAL, M]],
        errors=[[1, "mbi_synthetic_in_production"], [2, "npi_first_digit"], [3, "mbi_synthetic_in_production"],
                [4, "mbi_leading_zero"], [5, "mbi_excluded_letter"]],
        protected_mbis=[REAL],
        blind_errors=4,
    )  # fmt: skip


AS_OF: dict[str, datetime] = {
    "2021-08-05T04:00:00Z": datetime(2021, 8, 5, 4, tzinfo=UTC),
    "2021-08-05T04:00:00.250-04:00": datetime(2021, 8, 5, 8, 0, 0, 250_000, tzinfo=UTC),
    "2021-08-05": datetime(2021, 8, 5, tzinfo=UTC),
}


@pytest.mark.parametrize("text", AS_OF)
def test_an_envelope_says_as_of_when_it_is(read_text: ReadText, text: str) -> None:
    assert read_text(json.dumps(wrap([A, N], as_of=text))).as_of_at == AS_OF[text]


NO_TIMES = ["2021-08-05T04:00:00", "yesterday", "2021-02-30", "08/05/2021", "", 20210805, True, {}, [],
            "0001-01-01T00:00:00+23:00"]  # fmt: skip


@pytest.mark.parametrize("value", NO_TIMES)
def test_an_as_of_that_leaves_the_time_open_is_refused(read_text: ReadText, value: Any) -> None:
    reading = read_text(json.dumps(wrap([A, N], as_of=value)))
    assert (reading.file_error, reading.as_of_at, len(reading.present)) == ("unsupported_format_json", None, 0)


@pytest.mark.parametrize(("value", "sequence"), [(41, "41"), ("2021-17", "2021-17"), (0, "0"), (None, None)])
def test_an_envelope_has_a_sequence(read_text: ReadText, value: Any, sequence: str | None) -> None:
    assert read_text(json.dumps(wrap([A, N], sequence=value))).sequence == sequence


@pytest.mark.parametrize("value", [41.5, True, [41], {}, "1S00E00AA12", "987-65-4329"])
def test_a_sequence_that_orders_nothing_is_refused(read_text: ReadText, value: Any) -> None:
    reading = read_text(json.dumps(wrap([A, N], sequence=value)))
    assert (reading.file_error, reading.sequence) == ("unsupported_format_json", None)


@pytest.mark.parametrize(
    ("document", "declared"),
    [
        ([], None),
        (wrap([A, N]), None),
        (wrap([A, N], count=1), 1),
        (wrap([A, N], count=1.0), 1),
        (wrap(count=0), 0),
        (wrap([A, N], count=7), 7),
    ],
)
def test_a_count_that_was_checked_is_told(read_text: ReadText, document: Any, declared: int | None) -> None:
    assert read_text(json.dumps(document)).declared_count == declared
