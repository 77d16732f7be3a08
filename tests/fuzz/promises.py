"""What every reader promises of whatever it is given; a broken promise is a `Broken`."""

from __future__ import annotations

import re
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice

from measuring import measure_slowness

from service.domain.identifiers import LOOSE_ALPHABETS, Environment, read_mbi, read_npi
from service.rosters.findings import FILE_SENTENCES, describe_finding
from service.rosters.heading_rows import Headings
from service.rosters.reading import RosterOptions, RosterReading

CPU_SECONDS = 2.0
GROWTH_KIB = 64 << 10
LONGEST_POSITION = 400
LARGEST_COUNT = 2**31 - 1
"""What a column of whole numbers holds."""
_ANY_MBI = re.compile("".join(f"[{alphabet}]" for alphabet in LOOSE_ALPHABETS))
_HICN_OR_SSN = re.compile(r"(?<![0-9])(?:[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{9}[A-Z][A-Z0-9]?)(?![A-Za-z0-9])")
_POINTER = r"(?:/[A-Za-z]+/[0-9]+(?:/resource)?)*"
_POSITIONS = {
    "csv": r"[1-9][0-9]*",
    "practitioners_csv": r"[1-9][0-9]*",
    "xlsx": r"[1-9][0-9]*",
    "practitioners_xlsx": r"[1-9][0-9]*",
    "json": r"[0-9]+",
    "fhir": _POINTER,
    "ndjson": rf"(?:[^\x00-\x1f]+:)?[1-9][0-9]*(?:#{_POINTER})?",
    "hl7v2": r"[^\x00-\x1f\x7f-\x9f]+",
}
_REMARKED = ("duplicate_row", "attribution_ended", "event_ignored")


class Broken(AssertionError):
    """A reader did what it promises never to do."""


def promise(held: bool, what: str) -> None:
    """Raises Broken, which names the promise and nothing of the input."""
    if not held:
        raise Broken(what)


@contextmanager
def bound_cost() -> Iterator[None]:
    """Raises Broken where the block takes more processor time or memory than any upload may."""
    start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    spent = time.process_time() - start
    if spent >= CPU_SECONDS:  # measured only then: it would take most of the time of a run
        promise(spent < CPU_SECONDS * measure_slowness(), "an input costs less than two seconds of processor time")
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    promise(growth < GROWTH_KIB, "an input costs less than 64 MiB")


def check_reading(reading: RosterReading, options: RosterOptions) -> None:
    """Raises Broken for a reading that breaks a promise, whatever the bytes were."""
    if reading.file_error is not None:
        _check_refusal(reading)
    _check_pairs(reading, options.environment)
    _check_findings(reading)
    _check_classes(reading)
    _check_people(reading, options.environment)
    count = reading.declared_count
    promise(count is None or -LARGEST_COUNT <= count <= LARGEST_COUNT, "a declared count fits into its column")
    sequence = reading.sequence
    promise(sequence is None or (sequence.isascii() and sequence.isprintable()), "a sequence is plain text")
    promise(sequence is None or 1 <= len(sequence) <= 100, "a sequence has 1 to 100 characters")


def check_same(first: RosterReading, second: RosterReading) -> None:
    """Raises Broken unless reading twice gives the same."""
    promise(_list_facts(first) == _list_facts(second), "reading twice gives the same")


def check_headings(found: Headings | None) -> None:
    """Raises Broken for headings that hold a patient's number, or cannot be shown."""
    if found is None:
        return
    promise(found.line >= 1 and len(found.header_hash) == 64, "headings have a line and a hash")
    for cell in found.cells:
        codes = {read_mbi(cell, environment).code for environment in Environment}
        promise(None not in codes, "no heading is an MBI")
        promise(not codes & {"mbi_is_ssn", "mbi_is_hicn"}, "no heading is a HICN or an SSN")


def _list_facts(reading: RosterReading) -> list[object]:
    columns = [list(reading.present.iter_pairs()), list(reading.remove.iter_pairs()), list(reading.findings)]
    lines = [reading.present.line.tolist(), reading.remove.line.tolist(), list(reading.positions)]
    people = [list(reading.demographics), list(reading.practitioner_names), reading.protected_mbis]
    told = [reading.format, reading.mode_signal, reading.file_error, reading.encoding, reading.header_hash]
    counts = [reading.data_rows, reading.declared_count, reading.as_of_at, reading.sequence, reading.mbi_changes]
    return [*columns, *lines, *people, *told, *counts]


def _check_refusal(reading: RosterReading) -> None:
    kept: tuple[Sequence[object], ...] = (
        reading.findings, reading.mbi_changes, reading.protected_mbis, reading.demographics, reading.practitioner_names,
    )  # fmt: skip
    nothing = len(reading.present) == len(reading.remove) == reading.blind_errors == 0 and not any(map(len, kept))
    promise(nothing, "a file that is refused has nothing beside its error")
    error = reading.file_error or ""
    promise(error in FILE_SENTENCES, "a file error is one that is known")


def _check_pairs(reading: RosterReading, environment: Environment) -> None:
    present, remove = list(reading.present.iter_pairs()), list(reading.remove.iter_pairs())
    promise(all(npi is not None for _, npi in present), "whoever is present has a practitioner")
    for mbi, npi in islice(chain(present, remove), 50):
        promise(read_mbi(mbi, environment).value == mbi, "an MBI is valid for the environment")
        promise(npi is None or read_npi(npi, environment).value == npi, "an NPI is valid for the environment")
    promise(len(set(present)) == len(present) and len(set(remove)) == len(remove), "a pair is said once")
    promise(not set(present) & set(remove), "no pair is both present and removed")
    gone = {mbi for mbi, npi in remove if npi is None}
    promise(not gone & {mbi for mbi, _ in present}, "nobody is present who is removed altogether")
    promise(reading.mode_signal in ("none", "delta", "partial", "snapshot"), "a signal is one that is known")
    promise(reading.format != "hl7v2" or not remove, "messages remove nobody")
    for old, new in reading.mbi_changes:
        valid = all(read_mbi(mbi, environment).value == mbi for mbi in (old, new))
        promise(valid and old != new, "a renamed MBI is two valid ones")
    protected = reading.protected_mbis
    promise(len(set(protected)) == len(protected), "an MBI is protected once")
    promise(all(read_mbi(mbi, environment).value == mbi for mbi in protected), "a protected MBI is valid")


def _check_findings(reading: RosterReading) -> None:
    pattern = re.compile(_POSITIONS.get(reading.format, r"(?!)"))
    positions = [finding.position for finding in reading.findings] + [str(place) for place in reading.positions]
    for position in positions:
        promise(pattern.fullmatch(position) is not None, "a position is well formed")
        promise(len(position) <= LONGEST_POSITION, "a position is short")
        promise(not (_ANY_MBI.search(position) or _HICN_OR_SSN.search(position)), "a position is nobody's number")
    for finding in reading.findings:
        promise(finding.severity == "error" or not finding.blind, "a remark blinds nobody")
        promise(describe_finding(finding.code) != describe_finding(""), "a finding has a sentence of its own")
    blind = sum(finding.blind for finding in reading.findings)
    promise(blind == reading.blind_errors, "blind errors are those that are marked so")
    if reading.format in ("csv", "xlsx", "json"):
        lines = [int(position) for position in positions]
        promise(lines == sorted(lines), "findings come in file order")


def _check_classes(reading: RosterReading) -> None:
    """Every row is a pair, an error, or is remarked on as a repetition, as ended or as an event without meaning."""
    if reading.file_error or (reading.positions and len(reading.positions) != reading.data_rows):
        return
    codes = [finding.code for finding in reading.findings if finding.severity == "error" or finding.code in _REMARKED]
    rest = reading.data_rows - len(reading.present) - len(reading.remove) - len(codes)
    if reading.format == "hl7v2":
        promise(0 <= rest <= len(reading.mbi_changes), "every message ends in one class")
    elif reading.practitioner_names and not reading.positions:
        promise(rest in (0, len(reading.practitioner_names)), "every practitioner ends in one class")
    elif reading.format in ("fhir", "ndjson"):
        lone = len(reading.demographics)  # Patients without any practitioner are people and no pairs
        promise(rest == 0 or (rest > 0 and not len(reading.present) and lone > 0), "every member ends in one class")
    else:
        promise(rest == 0, "every row ends in one class")


def _check_people(reading: RosterReading, environment: Environment) -> None:
    people = list(reading.demographics)
    promise(len(people) == len(reading.demographics), "people are as many as are said")
    promise(len({one.mbi for one in people}) == len(people), "a patient is named once")
    for one in people:
        promise(read_mbi(one.mbi, environment).value == one.mbi, "whoever is named has a valid MBI")
        promise(one.gender in (None, "male", "female", "other", "unknown"), "a gender is a code")
    texts = [text for one in people for text in (one.given, one.family)]
    texts += [text for name in reading.practitioner_names for text in (name.given, name.family)]
    promise(all(text is None or text.strip("\x00\n\r") == text != "" for text in texts), "a name is text or nothing")
    for name in reading.practitioner_names:
        promise(read_npi(name.npi, environment).value == name.npi, "a named practitioner has a valid NPI")


def read_twice(read: Callable[[], RosterReading], options: RosterOptions) -> RosterReading:
    """Answers what was read, once it has kept every promise twice."""
    with bound_cost():
        first = read()
    check_reading(first, options)
    check_same(first, read())
    return first
