"""Inputs that once broke a promise break none any more, nor do those that a fuzzer begins with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.identifiers import Environment
from service.rosters.reading import RosterOptions, RosterReading
from tests.fuzz.kept_inputs import KEPT
from tests.fuzz.promises import Broken, check_reading
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import OPTIONS, TARGETS
from tests.fuzz.words import WORDS

KEPT_INPUTS = [pytest.param(name, kept, id=f"{name}: {what}") for name, those in KEPT.items() for what, kept in those]
SEED_INPUTS = [
    pytest.param(name, seed, id=f"{name} {n}") for name, seeds in SEEDS.items() for n, seed in enumerate(seeds)
]
SANDBOX = RosterOptions(Environment.SANDBOX)


@pytest.mark.parametrize(("name", "kept"), KEPT_INPUTS)
def test_what_was_found_stays_mended(name: str, kept: bytes) -> None:
    TARGETS[name](kept)


@pytest.mark.parametrize(("name", "seed"), SEED_INPUTS)
def test_every_input_to_begin_with_keeps_every_promise_with_all_options(name: str, seed: bytes) -> None:
    for choice in OPTIONS:
        TARGETS[name](choice.encode() + seed)


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in ("headings", "detection")])
def test_inputs_to_begin_with_lead_past_the_refusals(name: str) -> None:
    readings = [TARGETS[name](b"a" + seed) for seed in SEEDS[name]]
    assert any(reading is not None and reading.file_error is None and reading.data_rows for reading in readings)


def test_every_target_has_inputs_and_words_to_begin_with() -> None:
    assert set(TARGETS) == set(SEEDS) == set(WORDS) >= set(KEPT)
    assert all(SEEDS.values()) and all(WORDS.values())


def build_broken() -> list[RosterReading]:
    """Readings that each break another promise."""
    whole = TARGETS["delimited"](b"a" + SEEDS["delimited"][0])
    message = TARGETS["hl7v2"](b"a" + SEEDS["hl7v2"][1])
    assert whole is not None and message is not None and len(whole.findings)
    return [
        replace(whole, file_error="too_large"),
        replace(whole, file_error="no such error"),
        replace(whole, data_rows=whole.data_rows + 1),
        replace(whole, blind_errors=whole.blind_errors + 1),
        replace(whole, remove=whole.present),
        replace(whole, declared_count=2**31),
        replace(whole, sequence="a\0"),
        replace(whole, mode_signal="all"),
        replace(whole, findings=list(whole.findings)[::-1]),
        replace(whole, mbi_changes=(("1S00E00AA00", "1S00E00AA00"),)),
        replace(message, positions=["1S00E00AA00"]),
        replace(message, positions=["123-45-6789"]),
        replace(message, positions=["a\nb"]),
    ]


@pytest.mark.parametrize("n", range(13))
def test_a_reading_that_breaks_a_promise_is_told(n: int) -> None:
    with pytest.raises(Broken):
        check_reading(build_broken()[n], SANDBOX)
