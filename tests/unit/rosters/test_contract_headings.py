"""Headings: every accepted one, those that are never read, and what a person's mapping of columns changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from readings import build_result
from workbooks import build_workbook, write_row

from service.rosters.headings import hash_header
from service.rosters.reading import RosterReading

CheckText = Callable[..., dict[str, Any]]
ReadText = Callable[..., RosterReading]

A, B = "1S00E00AA00", "1S00E00AA01"
N, M = "3905293015", "2323232225"
ONE = {"present": [[A, N]]}


def list_words(text: str) -> list[str]:
    return text.split()


MBI_HEADINGS = list_words(
    """mbi mbiid mbinumber medicarebeneficiaryidentifier medicarebeneficiaryid medicareid medicarenumber
    medicareno benembiid benembi beneficiarymbi patientmbi membermbi currentmbi"""
)
NPI_HEADINGS = list_words(
    """npi npinumber providernpi renderingnpi renderingprovidernpi attributednpi attributedprovidernpi
    attributedphysiciannpi pcpnpi primarycareprovidernpi primarycareprovidernationalprovideridentifier attendingnpi
    attendingprovidernpi practitionernpi physiciannpi individualnpi nationalprovideridentifier nationalproviderid
    vanpi"""
)
ORGANIZATION_HEADINGS = list_words("billingnpi billingprovidernpi groupnpi organizationnpi orgnpi facilitynpi")
FORBIDDEN_HEADINGS = list_words("hicn hic benehicnum ssn socialsecuritynumber")
MAPPED_HEADINGS = list_words("memberid subscriberid policynumber insuranceid patientid mrn providerid")
BIRTH_HEADINGS = list_words("dob dateofbirth birthdate birthdt benebrthdt benedob patientdob")
DEATH_HEADINGS = list_words("benedeathdt dateofdeath deathdate dod deceaseddate")
END_HEADINGS = list_words("termdate terminationdate enddate attributionend")
START_HEADINGS = list_words("effectivedate startdate attributionstart")
ACTION_HEADINGS = list_words(
    """action actioncode changetype addremove transactiontype maintenancetype activeorremoved
    recordaction"""
)
FIRST_HEADINGS = list_words("firstname fname given bene1stname memberfirstname")
LAST_HEADINGS = list_words("lastname lname surname family benelastname memberlastname")
WHOLE_HEADINGS = list_words("name patientname membername")


@pytest.mark.parametrize("heading", MBI_HEADINGS)
def test_a_heading_of_the_mbi(check_text: CheckText, heading: str) -> None:
    assert check_text(f"{heading},NPI\n{A},{N}\n") == build_result(**ONE)


@pytest.mark.parametrize("heading", NPI_HEADINGS)
def test_a_heading_of_the_npi(check_text: CheckText, heading: str) -> None:
    assert check_text(f"MBI,{heading.upper()}\n{A},{N}\n") == build_result(**ONE)


@pytest.mark.parametrize("heading", ["M.B.I.", " mbi ", "MBI #", "'MBI'", "Medicare Beneficiary Identifier (MBI_ID)"])
def test_a_heading_counts_by_its_letters_and_digits(check_text: CheckText, heading: str) -> None:
    parts = {"file_error": "header_unrecognised"} if "(" in heading else ONE
    assert check_text(f"{heading},NPI\n{A},{N}\n") == build_result(**parts)


@pytest.mark.parametrize("heading", ["ＭＢＩ", "MBIé", "Ñmbi"])
def test_letters_of_other_alphabets_are_letters(check_text: CheckText, heading: str) -> None:
    assert check_text(f"{heading},NPI\n{A},{N}\n") == build_result(file_error="header_unrecognised")


@pytest.mark.parametrize("heading", [*ORGANIZATION_HEADINGS, "providerid"])
def test_the_number_of_an_organization_is_no_practitioner(check_text: CheckText, heading: str) -> None:
    assert check_text(f"MBI,{heading},NPI\n{A},{M},{N}\n") == build_result(**ONE)
    assert check_text(f"MBI,{heading}\n{A},{M}\n") == build_result(file_error="header_unrecognised")


@pytest.mark.parametrize("heading", FORBIDDEN_HEADINGS)
def test_an_old_number_is_never_read(check_text: CheckText, heading: str) -> None:
    assert check_text(f"{heading},MBI,NPI\n987654329A,{A},{N}\n") == build_result(**ONE)
    assert check_text(f"{heading},NPI\n987654329A,{N}\n") == build_result(file_error="header_unrecognised")


@pytest.mark.parametrize("heading", MAPPED_HEADINGS)
def test_a_number_of_somebody_else_counts_only_when_mapped(check_text: CheckText, heading: str) -> None:
    text = f"{heading},NPI\n{A},{N}\n"
    assert check_text(text) == build_result(file_error="header_unrecognised")
    assert check_text(text, column_mapping={"mbi": heading}) == build_result(**ONE)
    assert check_text(f"{heading},MBI,NPI\n{B},{A},{N}\n") == build_result(**ONE)


@pytest.mark.parametrize("heading", BIRTH_HEADINGS)
def test_a_heading_of_the_birth_date(check_text: CheckText, heading: str) -> None:
    found = check_text(f"MBI,NPI,{heading}\n{A},{N},soon\n")
    assert found == build_result(**ONE, warnings=[[2, "dob_unparseable"]])


@pytest.mark.parametrize("heading", DEATH_HEADINGS)
def test_a_heading_of_the_date_of_death(check_text: CheckText, heading: str) -> None:
    found = check_text(f"MBI,NPI,{heading}\n{A},{N},2021-01-03\n")
    assert found == build_result(errors=[[2, "deceased_hold"]], protected_mbis=[A])


@pytest.mark.parametrize("heading", END_HEADINGS)
def test_a_heading_of_the_end_is_compared_only_with_a_day(check_text: CheckText, heading: str) -> None:
    assert check_text(f"MBI,NPI,{heading}\n{A},{N},2021-01-03\n") == build_result(**ONE)


@pytest.mark.parametrize("heading", START_HEADINGS)
def test_a_heading_of_the_start_says_nothing(check_text: CheckText, heading: str) -> None:
    assert check_text(f"MBI,NPI,{heading}\n{A},{N},soon\n") == build_result(**ONE)


@pytest.mark.parametrize("heading", ACTION_HEADINGS)
def test_a_heading_of_the_action_makes_a_delta(check_text: CheckText, heading: str) -> None:
    found = check_text(f"MBI,NPI,{heading}\n{A},{N},add\n{B},{N},drop\n{B},{M},\n")
    assert found == build_result(
        mode_signal="delta", **ONE, remove=[[B, N]], errors=[[4, "bad_action"]], protected_mbis=[B]
    )


@pytest.mark.parametrize("first", FIRST_HEADINGS)
@pytest.mark.parametrize("last", LAST_HEADINGS)
def test_headings_of_names(read_text: ReadText, first: str, last: str) -> None:
    person = read_text(f"MBI,NPI,{last},{first}\n{A},{N},Doe,Ann\n").demographics[0]
    assert (person.given, person.family) == ("Ann", "Doe")


@pytest.mark.parametrize("heading", WHOLE_HEADINGS)
def test_a_heading_of_a_whole_name(read_text: ReadText, heading: str) -> None:
    person = read_text(f'MBI,NPI,{heading}\n{A},{N},"Doe, Ann Marie"\n').demographics[0]
    assert (person.given, person.family) == ("Ann", "Doe")


TWO_COLUMNS = [
    ("MBI,Medicare ID,NPI", "none"),
    ("MBI,MBI,NPI", "none"),
    ("MBI,NPI,Rendering NPI", "none"),
    ("Action,MBI,NPI,PCP NPI", "delta"),
    ("Action,Change Type,MBI,NPI", "delta"),
]


@pytest.mark.parametrize(("header", "signal"), TWO_COLUMNS)
def test_two_columns_for_one_meaning_wait_for_a_person(check_text: CheckText, header: str, signal: str) -> None:
    row = ",".join([A] * (header.count(",") + 1))
    found = check_text(f"{header}\n{row}\n")
    assert found == build_result(file_error="ambiguous_columns", mode_signal=signal)


FOUR = "Member ID,Rendering NPI,Attributed NPI,Left on"
MAPPING = {"mbi": "Member ID", "npi": "Attributed NPI", "end_date": "Left on"}
KNOWN = hash_header(FOUR.split(","))
HEADERS: list[tuple[str, str, dict[str, Any]]] = [
    ("as it was", FOUR, {"present": [[A, N]]}),
    ("written otherwise", "MEMBER_ID,rendering npi,attributed-npi,Left on:", {"present": [[A, N]]}),
    ("with columns swapped", "Member ID,Attributed NPI,Rendering NPI,Left on", {"file_error": "header_changed"}),
    ("with a column renamed", "Member ID,Rendering NPI,Attributed NPI,Ended", {"file_error": "header_changed"}),
    ("without the mapped MBI", "Mbr No,Rendering NPI,Attributed NPI,Left on", {"file_error": "header_changed"}),
    ("without the mapped NPI", "Member ID,Rendering NPI,Doctor,Left on", {"file_error": "header_changed"}),
    ("of other headings", "MBI,Doctor,NPI,Left on", {"file_error": "header_changed"}),
    ("of practitioners", "Number,First Name,Last Name,NPI", {"file_error": "header_changed"}),
    ("of nothing known", "a,b,c,d", {"file_error": "header_changed"}),
    ("gone", f"{B},{M},{M},", {"file_error": "header_changed"}),
]


def build_body(header: str, as_workbook: bool) -> str | bytes:
    if not as_workbook:
        return f"A title,,,\n{header}\n{A},{M},{N},\n"
    rows = write_row(1, "A title") + write_row(2, *header.split(",")) + write_row(3, A, M, N)
    return build_workbook({"Notes": write_row(1, "nothing"), "Data": rows})


@pytest.mark.parametrize("as_workbook", [False, True])
@pytest.mark.parametrize(("header", "parts"), [case[1:] for case in HEADERS], ids=[case[0] for case in HEADERS])
def test_a_mapping_holds_for_the_header_it_was_made_for(
    check_text: CheckText, header: str, parts: dict[str, Any], as_workbook: bool
) -> None:
    found = check_text(build_body(header, as_workbook), column_mapping=MAPPING, header_hash=KNOWN)
    assert found == build_result(format="xlsx" if as_workbook else "csv", **parts)


def test_a_file_of_pairs_alone_is_a_changed_header_too(check_text: CheckText) -> None:
    found = check_text(f"{A},{N}\n", column_mapping=MAPPING, header_hash=KNOWN)
    assert found == build_result(file_error="header_changed")


def test_a_mapping_settles_which_of_two_columns_is_meant(check_text: CheckText) -> None:
    text = f"MBI,Rendering NPI,Attributed NPI\n{A},{M},{N}\n"
    assert check_text(text)["file_error"] == "ambiguous_columns"
    for heading, npi in [("Rendering NPI", M), ("attributed npi", N)]:
        assert check_text(text, column_mapping={"npi": heading}) == build_result(present=[[A, npi]])


ROLES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("action", "What to do", "delete", {"mode_signal": "delta", "remove": [[A, N]]}),
    ("death_date", "Deceased on", "2021-01-03", {"errors": [[2, "deceased_hold"]], "protected_mbis": [A]}),
    ("end_date", "Left on", "soon", {"errors": [[2, "bad_end_date"]], "protected_mbis": [A]}),
    ("birth_date", "Born", "soon", {"present": [[A, N]], "warnings": [[2, "dob_unparseable"]]}),
    ("mbi", "患者番号", B, {"present": [[B, N]]}),
    ("npi", "#", M, {"present": [[A, M]]}),
]


@pytest.mark.parametrize(("role", "heading", "cell", "parts"), ROLES)
def test_every_meaning_can_be_mapped_to_any_heading(
    check_text: CheckText, role: str, heading: str, cell: str, parts: dict[str, Any]
) -> None:
    text = f"MBI,NPI,,%,{heading}\n{A},{N},,,{cell}\n"
    assert check_text(text) == build_result(**ONE)
    assert check_text(text, column_mapping={role: heading}) == build_result(**parts)


PEOPLE = [("first_name", "Vorname", "given"), ("last_name", "Nachname", "family")]


@pytest.mark.parametrize(("role", "heading", "part"), PEOPLE)
def test_names_can_be_mapped(read_text: ReadText, role: str, heading: str, part: str) -> None:
    person = read_text(f"MBI,NPI,{heading}\n{A},{N},Zoë\n", column_mapping={role: heading}).demographics[0]
    assert getattr(person, part) == "Zoë"


def test_a_whole_name_and_a_gender_can_be_mapped(read_text: ReadText) -> None:
    mapping = {"whole_name": "Who", "gender": "Which"}
    person = read_text(f'MBI,NPI,Who,Which\n{A},{N},"Doe, Ann",F\n', column_mapping=mapping).demographics[0]
    assert (person.given, person.family, person.gender) == ("Ann", "Doe", "female")


@pytest.mark.parametrize(
    "mapping", [{"npi": heading} for heading in ORGANIZATION_HEADINGS] + [{"mbi": h} for h in FORBIDDEN_HEADINGS]
)
def test_no_mapping_reads_an_organization_or_an_old_number(check_text: CheckText, mapping: dict[str, str]) -> None:
    role, heading = next(iter(mapping.items()))
    header = f"MBI,{heading}" if role == "npi" else f"{heading},NPI"
    found = check_text(f"{header}\n{A},{N}\n", column_mapping=mapping)
    assert found == build_result(file_error="header_unrecognised")


def test_a_mapped_heading_that_occurs_twice_settles_nothing(check_text: CheckText) -> None:
    found = check_text(f"MBI,Doctor,Doctor\n{A},{N},{M}\n", column_mapping={"npi": "Doctor"})
    assert found == build_result(file_error="ambiguous_columns")


def test_a_remark_beside_a_sheet_does_not_change_its_header(check_text: CheckText) -> None:
    plain = write_row(1, "MBI", "NPI") + write_row(2, A, N)
    remarked = write_row(1, "MBI", "NPI") + write_row(2, A, N, "", "see below")
    for rows in (plain, remarked):
        found = check_text(build_workbook({"Data": rows}), header_hash=hash_header(["MBI", "NPI"]))
        assert found == build_result(format="xlsx", **ONE)
