"""What makes an MBI or an NPI, what is repaired and what is refused, as tables."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.identifiers import (
    LOOSE_ALPHABETS,
    Environment,
    Reading,
    find_mbi_fault,
    is_npi,
    mask_mbi,
    pack_mbi,
    read_mbi,
    read_npi,
    unpack_mbi,
)

SANDBOX, PRODUCTION = Environment.SANDBOX, Environment.PRODUCTION

MBI_REPAIRS = [
    ("1S00E00AA00", ()),
    ("1s00e00aa00", ("lowercase",)),
    (" 1S00E00AA00\u00a0", ("whitespace",)),
    ("\ufeff1S00E00AA00\u200b", ("whitespace",)),
    ("1S00-E00-AA00", ("display_separators",)),
    ("1S00 E00 AA00", ("display_separators",)),
    ("1S00\u2013E00\u2013AA00", ("display_separators",)),
    ("1S00\u00adE00\u00adAA00", ("display_separators",)),
    ('="1S00E00AA00"', ("excel_wrapper",)),
    ("'1S00E00AA00", ("excel_wrapper",)),
    ("' 1s00-e00-aa00", None),
    (" '1s00-e00-aa00 ", ("whitespace", "excel_wrapper", "lowercase", "display_separators")),
]


@pytest.mark.parametrize(("raw", "repairs"), MBI_REPAIRS)
def test_only_reversible_damage_to_an_mbi_is_repaired(raw: str, repairs: tuple[str, ...] | None) -> None:
    reading = read_mbi(raw, SANDBOX)
    if repairs is None:
        assert reading.value is None
    else:
        assert reading == Reading("1S00E00AA00", None, repairs)


MBI_FAULTS = [
    ("", "mbi_missing"),
    ("  \t", "mbi_missing"),
    ("n/a", "mbi_missing"),
    ("Unknown", "mbi_missing"),
    ("1S00E00AA0", "mbi_length"),
    ("1S00E00AA000", "mbi_length"),
    ("1S00-E00AA-00", "mbi_length"),
    ("1S00-E00\u2013AA00", "mbi_length"),
    ("1S00_E00_AA00", "mbi_length"),
    ("1SO0E00AA00", None),
    ("1S0OE00AA00", "mbi_format"),
    ("AS00E00AA00", "mbi_format"),
    ("#N/A", "mbi_format"),
    ("#REF!", "mbi_format"),
    ("1E+10", "mbi_format"),
    ("\uff11S00E00AA00", "mbi_format"),
    ("1\u017f00E00AA00", "mbi_format"),
    ("1S00E00AA0\u0661", "mbi_format"),
    ("1B00E00AA00", "mbi_excluded_letter"),
    ("0E00E00AA00", "mbi_leading_zero"),
    ("900000001", "mbi_is_ssn"),
    ("900-00-0001", "mbi_is_ssn"),
    ("900 00 0001", "mbi_is_ssn"),
    ("900-00-0001A", "mbi_is_hicn"),
    ("900000001C1", "mbi_is_hicn"),
    ("9000-000-01C1", "mbi_is_hicn"),
    ("WA900000", "mbi_is_hicn"),
]


@pytest.mark.parametrize(("raw", "code"), MBI_FAULTS)
def test_each_fault_of_an_mbi_has_its_code(raw: str, code: str | None) -> None:
    reading = read_mbi(raw, SANDBOX)
    assert reading.code == code
    assert (reading.value is None) == (code is not None)


ENVIRONMENTS = [
    ("1S00E00AA00", None, "mbi_synthetic_in_production"),
    ("0S00E00AA00", None, "mbi_synthetic_in_production"),
    ("1SS0C00AA00", None, "mbi_synthetic_in_production"),
    ("1EG4TE5MK73", "mbi_real_in_sandbox", None),
    ("1Z00A00AA00", "mbi_excluded_letter", "mbi_excluded_letter"),
]


@pytest.mark.parametrize(("mbi", "in_sandbox", "in_production"), ENVIRONMENTS)
def test_neither_environment_takes_the_numbers_of_the_other(
    mbi: str, in_sandbox: str | None, in_production: str | None
) -> None:
    assert find_mbi_fault(mbi, SANDBOX) == in_sandbox
    assert find_mbi_fault(mbi, PRODUCTION) == in_production


def test_the_strict_letters_are_those_of_the_published_pattern() -> None:
    letter = "[AC-HJKMNP-RT-Y]"
    either = "[0-9AC-HJKMNP-RT-Y]"
    published = re.compile(f"[1-9]{letter}{either}[0-9]{letter}{either}[0-9]{letter}{{2}}[0-9]{{2}}")
    for char in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        for place in range(11):
            mbi = "1EG4TE5MK73"[:place] + char + "1EG4TE5MK73"[place + 1 :]
            assert (find_mbi_fault(mbi, PRODUCTION) is None) == bool(published.fullmatch(mbi))


NPI_READINGS = [
    ("3905293015", "3905293015", None, ()),
    ("3905293015.0", "3905293015", None, ("decimal_zero",)),
    ("808403905293015", "3905293015", None, ("card_prefix",)),
    ('="3905293015"', "3905293015", None, ("excel_wrapper",)),
    (" '3905293015 ", "3905293015", None, ("whitespace", "excel_wrapper")),
    ("3905293015.00", None, "npi_format", ()),
    ("3905293016", None, "npi_luhn", ()),
    ("390529301", None, "npi_length", ()),
    ("39052930155", None, "npi_length", ()),
    ("908403905293015", None, "npi_length", ()),
    ("3.90529E+09", None, "npi_scientific", ()),
    ("3E9", None, "npi_scientific", ()),
    ("3905-293-015", None, "npi_format", ()),
    ("3905293015;3905293015", None, "npi_format", ()),
    ("390529301O", None, "npi_format", ()),
    ("#N/A", None, "npi_format", ()),
    ("\u0663905293015", None, "npi_format", ()),
    ("none", None, "npi_missing", ()),
    ("", None, "npi_missing", ()),
]


@pytest.mark.parametrize(("raw", "value", "code", "repairs"), NPI_READINGS)
def test_an_npi_is_read_as_the_contract_says(
    raw: str, value: str | None, code: str | None, repairs: tuple[str, ...]
) -> None:
    assert read_npi(raw, SANDBOX) == Reading(value, code, repairs)


def test_only_production_asks_for_a_first_digit_that_is_issued() -> None:
    assert read_npi("3905293015", SANDBOX).code is None
    assert read_npi("3905293015", PRODUCTION).code == "npi_first_digit"


@settings(deadline=None)
@given(st.from_regex(r"[0-9]{9}", fullmatch=True))
def test_exactly_one_check_digit_fits_and_it_is_the_textbook_one(nine: str) -> None:
    def count_luhn(text: str) -> int:
        doubled = [int(char) * (2 if place % 2 else 1) for place, char in enumerate(reversed(text))]
        return sum(sum(divmod(digit, 10)) for digit in doubled)

    fitting = [digit for digit in "0123456789" if is_npi(nine + digit)]
    assert fitting == [digit for digit in "0123456789" if count_luhn("80840" + nine + digit) % 10 == 0]
    assert len(fitting) == 1


@pytest.mark.parametrize(("mbi", "masked"), [("1S00E00AA07", "1********07"), ("1S", "**"), ("", "")])
def test_a_masked_mbi_shows_the_first_character_and_the_last_two(mbi: str, masked: str) -> None:
    assert mask_mbi(mbi) == masked


LOOSE_MBIS = st.tuples(*(st.sampled_from(alphabet) for alphabet in LOOSE_ALPHABETS)).map("".join)


@settings(deadline=None)
@given(LOOSE_MBIS)
def test_packing_is_exact_and_fits_46_bits(mbi: str) -> None:
    assert unpack_mbi(pack_mbi(mbi)) == mbi
    assert 0 <= pack_mbi(mbi) < 2**46


@settings(deadline=None)
@given(LOOSE_MBIS, LOOSE_MBIS)
def test_packing_keeps_the_order_of_the_text(one: str, other: str) -> None:
    assert (one < other) == (pack_mbi(one) < pack_mbi(other))


@pytest.mark.parametrize("text", ["", "1S00E00AA0", "1S00E00AA0O", "1s00E00AA00", "1S00E00AA000"])
def test_only_mbi_shaped_text_is_packed(text: str) -> None:
    with pytest.raises(ValueError, match="MBI"):
        pack_mbi(text)


@pytest.mark.parametrize("code", [-1, 59_224_089_600_000])
def test_a_number_out_of_range_is_no_packed_mbi(code: int) -> None:
    with pytest.raises(ValueError, match="packed"):
        unpack_mbi(code)
