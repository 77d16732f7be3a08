"""Tables of text: delimiter, header, rows, trailers, actions, and what they may not do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from service.rosters.delimited.table import PLAIN_HEAD_BYTES
from service.rosters.reading import RosterReading

ReadText = Callable[..., RosterReading]
CheckText = Callable[..., dict[str, Any]]

A, B, C = "1S00E00AA00", "1S00E00AA01", "1S00E00AA02"
N, M = "3905293015", "2323232225"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_delimiter_and_line_end_gives_the_same_pairs(
    check_text: CheckText, delimiter: str, line_end: str
) -> None:
    rows = [["Medicare ID", "Last Name", "PCP NPI"], [A, "Doe", N], [B, "Roe", "1"], [C, "Poe", M]]
    found = check_text(line_end.join(delimiter.join(row) for row in rows) + line_end)
    assert found["present"] == [[A, N], [C, M]]
    assert found["errors"] == [[3, "npi_length"]]


ENCODINGS = [
    ("utf-8", "utf-8"),
    ("utf-8-sig", "utf-8-sig"),
    ("utf-16", "utf-16-le"),
    ("utf-16-le", "utf-16-le"),
    ("utf-16-be", "utf-16-be"),
    ("cp1252", "cp1252"),
]


@pytest.mark.parametrize(("written", "recorded"), ENCODINGS)
def test_the_encoding_is_found_and_recorded(read_text: ReadText, written: str, recorded: str) -> None:
    reading = read_text(f"mbi,npi,last name\r\n{A},{N},Núñez\r\n".encode(written))
    assert reading.encoding == recorded
    assert reading.demographics[0].family == "Núñez"


@pytest.mark.parametrize("content", [b"mbi,npi,name\n1,2,\x81\n", b"\xef\xbb\xbfmbi,npi\n\xff,\xff\n", b"\xff\xfea"])
def test_bytes_of_no_encoding_are_a_file_error(read_text: ReadText, content: bytes) -> None:
    assert read_text(content).file_error == "encoding_undecodable"


FILE_ERRORS = [
    ("", "header_unrecognised"),
    ("\n\n", "header_unrecognised"),
    ("patient,doctor\n1,2\n", "header_unrecognised"),
    (f"mbi,name\n{A},Doe\n", "header_unrecognised"),
    (f"mbi,billing npi\n{A},{N}\n", "header_unrecognised"),
    (f"mbi,npi,pcp npi\n{A},{N},{N}\n", "ambiguous_columns"),
    (f"mbi,patient mbi,npi\n{A},{A},{N}\n", "ambiguous_columns"),
    (f"mbi,npi,dod,death date\n{A},{N},,\n", "ambiguous_columns"),
    (f'mbi,npi,name\n{A},{N},"Doe', "truncated"),
    (f'mbi,npi,name\n{A},{N},"Doe\n{B},{N},Roe\n', "truncated"),
    (f'mbi,npi,name\n{A},{N},"Doe"x\n{B},{N},Roe\n', "truncated"),
    (f"mbi,npi\n{A},{N}\nTotal,2\n", "count_mismatch"),
    (f"mbi,npi\n{A},{N}\nTotal records: 2\n", "count_mismatch"),
    (f"mbi,npi,dob\n{A},{N},31/12/1940\n", "date_order_conflict"),
    (f"mbi,npi,note\n{A},{N},{'x' * 4_000}\n", None),
    (f"mbi,npi,note\n{A},{N},{'x' * 5_000}\n{B},{N},\n", "too_large"),
    (f'mbi,npi,note\n{A},{N},"{"x," * 2_500}"\n{B},{N},\n', "too_large"),
    (f"mbi,npi,note\n{B},{N},\n{A},{N}{',' * 70_000}\n", "too_large"),
    (f"mbi,npi,note\r{B},{N},\r{A},{N}{',' * 70_000}\r", "too_large"),
    (f"mbi,npi,note\n{B},{N},\n{A},{N}{',x' * 30_000}\n", None),
    (f"mbi,npi,note\n{B},{N},{' ' * 300}\n{A},{N},a\0b\n", "encoding_undecodable"),
    (f'mbi,npi,note\n{B},{N},{" " * 300}\n{A},{N},"a\n\0b"\n', "encoding_undecodable"),
    (f'mbi,npi,note\n{A},{N},"\n{"x" * 140_000}"\n', "too_large"),
    ("x" * 5_000_000, "too_large"),
    (",".join(["mbi", "npi", *map(str, range(5_000))]) + "\n", "too_large"),
    (f"{A},{N},x\n{B},{N},x\n", "header_unrecognised"),
    (f"{N},{A}\n{N},{B}\n", "header_unrecognised"),
]


@pytest.mark.parametrize(("text", "error"), FILE_ERRORS, ids=range(len(FILE_ERRORS)))
def test_a_file_that_is_refused_says_why_and_lists_nothing(read_text: ReadText, text: str, error: str) -> None:
    reading = read_text(text)
    assert reading.file_error == error
    if error:
        assert not (len(reading.present) or len(reading.remove) or reading.findings or reading.blind_errors)
        assert not (reading.demographics or reading.protected_mbis)


def test_a_header_without_rows_is_a_valid_file_that_removes_nobody(read_text: ReadText) -> None:
    reading = read_text("mbi,npi\n")
    assert (reading.file_error, reading.data_rows, len(reading.present), len(reading.remove)) == (None, 0, 0, 0)


def test_rows_without_header_need_nine_tenths_of_pairs(read_text: ReadText) -> None:
    pairs = "".join(f"1S00E00AA{place:02d},{N}\n" for place in range(9))
    assert len(read_text(pairs + "nobody,0\n").present) == 9
    assert read_text(pairs + "nobody,0\nnobody,0\n").file_error == "header_unrecognised"


def test_a_number_with_a_wrong_check_digit_still_has_the_shape_of_a_pair(check_text: CheckText) -> None:
    assert check_text(f"{A},{N}\n{B},3905293016\n")["errors"] == [[2, "npi_luhn"]]


def test_lines_are_counted_as_an_editor_counts_them(check_text: CheckText) -> None:
    text = f'A title\n\nmbi,npi,"a\nb"\n{A},{N},"x\ny"\n\n,{N},\n{B},1,\n,,\nTotal records: 3,,\n'
    found = check_text(text)
    assert found["errors"] == [[8, "mbi_missing"], [9, "npi_length"]]
    assert found["present"] == [[A, N]]


def test_both_ways_through_a_table_agree_on_blank_lines_trailers_and_ragged_rows(check_text: CheckText) -> None:
    body = [f"{A},{N},Doe", "", ",,", f"{B},{N}", f"x,{N},Doe,surplus", " ,\t,", "Total: 3", "End of file,,"]
    plain = "\n".join(["mbi,npi,name", *body]) + "\n"
    careful = plain.replace("Doe,surplus", 'Doe,"two\nlines"')
    assert check_text(plain) == check_text(careful)
    assert check_text(plain)["errors"] == [[5, "ragged_row"], [6, "ragged_row"]]
    assert check_text(plain)["protected_mbis"] == [B]
    assert check_text(plain)["blind_errors"] == 1


def test_a_patient_called_total_is_no_trailer(check_text: CheckText) -> None:
    assert check_text(f"name,mbi,npi\nTotalla,{A},\n")["errors"] == [[2, "npi_missing"]]


def test_a_trailer_may_state_a_date_beside_the_count(read_text: ReadText) -> None:
    reading = read_text(f"mbi,npi\n{A},{N}\nRecords: 1,08/05/2021\n")
    assert (reading.file_error, reading.declared_count) == (None, 1)


@pytest.mark.parametrize("count", [999, 1_000])
def test_thousands_in_a_trailer_may_have_a_comma(read_text: ReadText, count: int) -> None:
    rows = "".join(f"{A},{N}\n" for _ in range(1_000))
    error = read_text(f'mbi,npi\n{rows}"Total: {count:,}",\n').file_error
    assert error == (None if count == 1_000 else "count_mismatch")


ACTIONS = "action,mbi,npi\n"


def test_an_action_column_makes_a_delta_and_nothing_is_added_by_default(check_text: CheckText) -> None:
    found = check_text(f"{ACTIONS}A,{A},{N}\nD,{B},{N}\n,{C},{N}\n")
    assert (found["mode_signal"], found["present"], found["remove"]) == ("delta", [[A, N]], [[B, N]])
    assert (found["errors"], found["protected_mbis"]) == ([[4, "bad_action"]], [C])


def test_a_removal_without_npi_concerns_all_practitioners(check_text: CheckText) -> None:
    found = check_text(f"{ACTIONS}D,{A},\nA,{B},\nD,{C},N/A\n")
    assert found["remove"] == [[A, None]]
    assert found["errors"] == [[3, "npi_missing"], [4, "npi_missing"]]


CONFLICTS = [
    (f"A,{A},{N}\nD,{A},{N}\n", [2, 3], []),
    (f"D,{A},\nA,{A},{N}\n", [2, 3], []),
    (f"D,{A},{M}\nA,{A},{N}\n", [], [[A, M]]),
    (f"D,{A},{N}\nA,{B},{N}\n", [], [[A, N]]),
]


@pytest.mark.parametrize(("rows", "lines", "remove"), CONFLICTS)
def test_a_pair_that_is_both_added_and_removed_is_neither(
    check_text: CheckText, rows: str, lines: list[int], remove: list[list[str]]
) -> None:
    found = check_text(ACTIONS + rows)
    assert found["errors"] == [[line, "conflicting_actions"] for line in lines]
    assert found["remove"] == remove
    assert found["protected_mbis"] == ([A] if lines else [])


END_DATES = "mbi,npi,term date\n"
TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(("mode", "removed"), [("delta", [[A, N]]), (None, [[A, N]]), ("snapshot", [])])
def test_an_end_date_that_has_passed_removes_in_a_delta_and_is_absence_in_a_snapshot(
    check_text: CheckText, mode: str | None, removed: list[list[str]]
) -> None:
    text = f"{END_DATES}{A},{N},2026-02-28\n{B},{N},2026-03-01\n{C},{N},12/31/99\n"
    found = check_text(text, mode=mode, today=TODAY)
    assert (found["present"], found["remove"]) == ([[B, N], [C, N]], removed)
    assert found["warnings"] == ([] if removed else [[2, "attribution_ended"]])


def test_an_ended_row_does_not_contradict_a_row_that_still_holds(check_text: CheckText) -> None:
    found = check_text(f"{END_DATES}{A},{N},2024-12-31\n{A},{N},\n{A},{M},2024-12-31\n", today=TODAY)
    assert (found["present"], found["remove"], found["errors"]) == ([[A, N]], [[A, M]], [])
    assert found["warnings"] == [[2, "attribution_ended"]]


def test_one_date_of_death_holds_every_row_of_the_patient(check_text: CheckText) -> None:
    found = check_text(f"mbi,npi,dod\n{A},{N},\n{A},{M},2021-01-03\n{B},{N},\n")
    assert (found["present"], found["protected_mbis"]) == ([[B, N]], [A])
    assert found["errors"] == [[2, "deceased_hold"], [3, "deceased_hold"]]


def test_without_today_no_date_is_compared_but_an_unreadable_one_still_counts(check_text: CheckText) -> None:
    found = check_text(f"{END_DATES}{A},{N},1999-01-01\n{B},{N},soon\n")
    assert (found["present"], found["errors"]) == ([[A, N]], [[3, "bad_end_date"]])
    assert found["protected_mbis"] == [B]


def test_a_date_of_death_holds_the_pair_even_for_a_removal(check_text: CheckText) -> None:
    found = check_text(f"action,mbi,npi,dod\nD,{A},{N},2021-01-03\nA,{B},,01/03/2021\nA,{C},{N},N/A\n")
    assert found["errors"] == [[2, "deceased_hold"], [3, "deceased_hold"]]
    assert (found["present"], found["remove"]) == ([[C, N]], [])


REPEATS = f"mbi,npi\n{A},{N}\n{B},{N}\n{A},{N}\n{A},{M}\n{A},{M}\n{A.lower()},{N}\n"


def test_repeated_rows_and_further_practitioners_are_remarks(check_text: CheckText) -> None:
    found = check_text(REPEATS)
    assert found["present"] == [[A, N], [B, N], [A, M]]
    assert found["warnings"] == [
        [4, "duplicate_row"], [5, "mbi_multiple_npi"], [6, "duplicate_row"], [7, "duplicate_row"],
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["clinic_Turnover.csv", "changes-2026.csv", "delta.csv"])
def test_a_file_name_may_make_a_file_a_delta(check_text: CheckText, name: str) -> None:
    assert check_text(f"mbi,npi\n{A},{N}\n", name)["mode_signal"] == "delta"
    assert check_text(f"mbi,npi\n{A},{N}\n", name, filename="full.csv")["mode_signal"] == "none"


TWO_NPIS = f"mbi,rendering npi,attributed npi\n{A},{N},{M}\n"


def test_a_mapping_settles_which_column_is_meant(check_text: CheckText) -> None:
    found = check_text(TWO_NPIS, column_mapping={"npi": "Attributed NPI"})
    assert (found["file_error"], found["present"]) == (None, [[A, M]])


def test_a_member_id_is_an_mbi_only_where_a_person_said_so(check_text: CheckText) -> None:
    text = f"member id,npi\n{A},{N}\n"
    assert check_text(text, column_mapping={"mbi": "Member ID"})["present"] == [[A, N]]
    assert check_text("member id,npi,x\n" + f"{A},{N},\n")["file_error"] == "header_unrecognised"


def test_a_changed_header_invalidates_the_mapping(read_text: ReadText) -> None:
    mapping = {"npi": "attributed npi"}
    known = read_text(TWO_NPIS).header_hash
    assert read_text(TWO_NPIS, column_mapping=mapping, header_hash=known).file_error is None
    swapped = f"mbi,attributed npi,rendering npi\n{A},{N},{M}\n"
    renamed = f"mbi,rendering npi,attributed by\n{A},{N},{M}\n"
    for text in (swapped, renamed, f"{A},{N}\n"):
        assert read_text(text, column_mapping=mapping, header_hash=known).file_error == "header_changed"


PEOPLE = (
    "mbi,npi,first name,last name,dob,sex,ssn\n"
    f"{A},{N},Ann,NA,02/28/1939,2,900000001\n"
    f"{B},{N},,Roe,31/12/1940,,900000002\n"
    f"{A},{M},Anna,Doe,1939-02-28,F,\n"
    f"bad,{N},Eve,Poe,1939-02-28,F,\n"
) + "".join(f"1S00E00BB{place:02d},{N},Luz,Roe,1940-01-01,F,\n" for place in range(10))


def test_a_roster_with_names_delivers_each_patient_once(read_text: ReadText) -> None:
    people = read_text(PEOPLE).demographics
    first, second = people[0], people[1]
    assert len(people) == 12
    assert (first.mbi, first.given, first.family, first.gender, first.position) == (A, "Ann", "NA", "female", "2")
    assert first.birth_on == date(1939, 2, 28)
    assert (second.given, second.family, second.birth_on, second.gender) == (None, "Roe", None, None)
    assert list(people)[1] == second
    assert people[-1].mbi == "1S00E00BB09"
    assert list(people[2:4]) == list(people)[2:4]


def test_columns_that_hold_social_security_numbers_are_not_read(read_text: ReadText) -> None:
    people = read_text(PEOPLE).demographics
    assert "900000001" not in repr(list(people))


def test_a_roster_without_names_delivers_nobody(read_text: ReadText) -> None:
    assert read_text(f"mbi,npi\n{A},{N}\n").demographics == ()


def test_a_list_of_npis_and_names_delivers_practitioners(read_text: ReadText) -> None:
    reading = read_text(f"NPI,Provider First Name,Provider Last Name\n{N},Jane,Doe\n1,X,Y\n{M},,Na\nonly\n")
    assert (reading.format, reading.data_rows, reading.blind_errors) == ("practitioners_csv", 4, 0)
    assert [(one.npi, one.given, one.family, one.position) for one in reading.practitioner_names] == [
        (N, "Jane", "Doe", "2"),
        (M, None, "Na", "4"),
    ]
    assert [(one.position, one.code) for one in reading.findings] == [("3", "npi_length"), ("5", "ragged_row")]


def test_findings_speak_to_people_and_hold_no_value(read_text: ReadText) -> None:
    reading = read_text(f"mbi,npi\n900-00-0001,{N}\n{A},1\n")
    ssn, npi = reading.findings
    assert (ssn.position, ssn.code, ssn.severity, ssn.blind) == ("2", "mbi_is_ssn", "error", True)
    assert (npi.code, npi.blind) == ("npi_length", False)
    assert "900" not in repr(reading.findings[0]) and ssn.sentence.endswith(".")


def test_columns_are_packed_numbers_with_lines(read_text: ReadText) -> None:
    present = read_text(f"mbi,npi\n{A},{N}\n\n{B},{M}\n").present
    assert [column.dtype.name for column in (present.mbi, present.npi, present.line)] == ["uint64", "int64", "int32"]
    assert present.npi.tolist() == [int(N), int(M)]
    assert present.line.tolist() == [2, 4]


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_header_is_found_whatever_its_table_measures(check_text: CheckText, over: int, quote: str) -> None:
    """Nothing is cut off where the table is just as long as the head that is looked at, and ends without line end."""
    text = f"mbi,npi,{quote}last name{quote}\n{A},{N},"
    assert check_text(text + "x" * (PLAIN_HEAD_BYTES + over - len(text)))["present"] == [[A, N]]
    text = f"mbi,npi,{quote}{quote},"
    assert check_text(text + "x" * (PLAIN_HEAD_BYTES + over - len(text)))["file_error"] is None
    before = f"{'x' * 2_000}\n{'x' * (PLAIN_HEAD_BYTES + over - 2_001)}\n"
    assert check_text(f"{before}mbi,npi\n{A},{N}")["present"] == [[A, N]]


def test_a_table_of_many_pieces_counts_lines_through(check_text: CheckText) -> None:
    filler = "x" * 200
    lines = [f"1S{place % 10}{place // 10 % 10}E00AA{place // 100 % 100:02d},{N},{filler}" for place in range(50_000)]
    lines[30_000] = f"bad,{N},{filler}"
    lines[40_000] = f"{A},{N}"
    lines[49_999] = "Total: 49999,,"
    found = check_text("mbi,npi,note\n" + "\n".join(lines))
    assert found["file_error"] is None
    assert found["errors"] == [[30_002, "mbi_length"], [40_002, "ragged_row"]]
    assert len(found["present"]) == 10_000
