"""Whether a delivery may count: doubts about the file hold it whole, an unreadable file is rejected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from service.domain.feeds import FeedSettings
from service.domain.guards import Level
from service.domain.series import find_missing, is_stale


class Verdict(StrEnum):
    """What becomes of a delivery; the words are its states."""

    ACCEPTED = "accepted"
    HELD = "held"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Effect:
    """What a file does to the claims of its feed about one practitioner, or about all of them together.

    `known` patients were claimed before, `listed` are in the file, `added` of them are new; `absent` were claimed and
    are missing now, `ended` would be let go by the feed at once: by an explicit removal, or because they were absent
    before. Of these `staying` are listed by another feed too, so that the organisation goes on to claim them.
    """

    known: int = 0
    listed: int = 0
    added: int = 0
    absent: int = 0
    ended: int = 0
    staying: int = 0

    def __add__(self, other: Effect) -> Effect:
        return Effect(
            self.known + other.known,
            self.listed + other.listed,
            self.added + other.added,
            self.absent + other.absent,
            self.ended + other.ended,
            self.staying + other.staying,
        )

    @property
    def gone(self) -> int:
        """How many the organisation would no longer claim."""
        return self.ended - self.staying

    @property
    def leaves_out(self) -> bool:
        """Whether anybody known is missing from the file or let go by it."""
        return max(self.absent, self.ended) > 0


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the guards look at: counts and times of one file, nothing about any patient.

    `sent_count` is the count that came with the file and not in it; of the errors `foreign_rows` can be read, but name
    no practitioner for whom the feed speaks. `sequence_taken` says that another delivery has the number,
    `refused_before` that a person said no to the very same bytes; `odd_patients` have rows that differ, or more than
    five practitioners; `unknown_npis` are practitioners whom the organisation has never named; `shared_patients` is the
    estimated number of patients who are also on the roster
    of the one other organisation that has most of them; `joined_patients` would be one with another patient by a
    changed MBI although one file lists them both or they are described as two people, have another new MBI than was
    told before, or get one that was somebody else's.
    """

    file_error: str | None
    data_rows: int
    present: int
    removed: int
    errors: int
    received_at: datetime
    as_of_at: datetime | None
    is_snapshot: bool
    declared_count: int | None = None
    sent_count: int | None = None
    foreign_rows: int = 0
    sequence: str | None = None
    sequence_taken: bool = False
    refused_before: bool = False
    patients: int = 0
    odd_patients: int = 0
    shared_patients: int = 0
    joined_patients: int = 0
    npis: int = 0
    unknown_npis: tuple[str, ...] = ()
    effect: Effect = Effect()


@dataclass(frozen=True, slots=True)
class History:
    """Earlier accepted deliveries of the same feed, newest first: snapshot row counts, newest times, sequences.

    `last_as_of_at` is the newest date of any that holds pairs, `last_undated_at` the receipt of the last one without a
    date that arrived before this file. `declares_count` says that every one of them stated its number of rows.
    `arrived` are the sequences of all other files of the feed, whatever became of them: what waits for a person, or was
    refused, is not missing.
    """

    row_counts: Sequence[int] = ()
    last_as_of_at: datetime | None = None
    sequences: Sequence[str] = ()
    arrived: Sequence[str] = ()
    declares_count: bool = False
    last_undated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason to wait: the rule, how many people it takes, and one sentence for people."""

    code: str
    level: Level
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict with its gravest doubt (None unless held or rejected), and all doubts in one text for people.

    `codes` are those of all doubts, in the order of the alphabet.
    """

    verdict: Verdict
    code: str | None = None
    level: Level | None = None
    reason: str | None = None
    codes: tuple[str, ...] = ()


HELD_FILE_ERRORS = {
    "truncated": "The file ends in the middle of a row, so part of it is missing.",
    "count_mismatch": "The number of rows differs from the count that is stated for them.",
    "stale_input": "The file is older than one that was already accepted from this feed.",
    "header_changed": "The headings differ from those that the feed's column mapping was made for.",
}
"""File errors that a person may still want to look at; every other file error rejects the delivery."""

REMOVAL_RULES = frozenset({"blind_errors", "partial_input", "many_removals"})
"""Doubts about whom an accepted file leaves out: it counts, but it lets nobody go until a person says so."""
FEWER_ROWS_STOP, MORE_ROWS_STOP = 30, 100
REJECTED_ROWS_STOP = 5
MOST_OF_THE_FILE = 50
FLOOR = 5
"""Percentages count once more than five rows or patients are meant: one of seven is no seventh of a clinic."""
KEPT_HOLD, KEPT_STOP = 90, 50
SHARED_HOLD, SHARED_STOP = 20, 50
ODD_HOLD, ODD_STOP = 0.5, 5
UNKNOWN_NPIS_STOP = 5
MANY_PRACTITIONERS = 5
"""A patient with more practitioners than this is odd."""
AGE_HOLD, AGE_STOP = timedelta(hours=48), timedelta(days=7)
AHEAD = timedelta(hours=1)
"""How far the sender's clock may run ahead of ours."""
_NO_SETTINGS = FeedSettings()


def judge_delivery(facts: FileFacts, history: History, settings: FeedSettings = _NO_SETTINGS) -> Judgement:
    """Answer whether a delivery counts now, waits for a person, or is refused (limits: reliability S6.5).

    Of several doubts the first that needs two people names the hold, else the first that needs one; the reason tells
    them all. Evidence of a held delivery does not count until a person accepts it; earlier evidence does, while it is
    fresh. A file dated in the future is refused, because nobody could accept it without making its evidence fresh for
    longer than it is.
    """
    if facts.file_error and facts.file_error not in HELD_FILE_ERRORS:
        return Judgement(Verdict.REJECTED, facts.file_error, None, f"The file cannot be used: {facts.file_error}.")
    if facts.as_of_at and facts.as_of_at - facts.received_at > AHEAD:
        return Judgement(Verdict.REJECTED, "future_input", None, "The file says that it was made in the future.")
    if facts.file_error:
        reason = f"{_tell_file_error(facts, facts.file_error)} Nothing of it counts, so it lets nobody go."
        return Judgement(Verdict.HELD, facts.file_error, Level.HOLD, reason, (facts.file_error,))
    found = [doubt for find in _DOUBTS if (doubt := find(facts, history, settings))]
    if not found:
        return Judgement(Verdict.ACCEPTED)
    found.sort(key=lambda doubt: doubt.level is not Level.HARD_STOP)  # stable: the gravest first, else in their order
    reasons = [doubt.reason for doubt in found]
    if not facts.joined_patients or facts.effect.leaves_out:  # a joined patient goes without being left out
        reasons.append(tell_effect(facts.effect))
    codes = tuple(sorted(doubt.code for doubt in found))
    return Judgement(Verdict.HELD, found[0].code, found[0].level, " ".join(reasons), codes)


def _tell_file_error(facts: FileFacts, code: str) -> str:
    if code == "count_mismatch" and facts.data_rows and facts.sent_count not in (None, facts.data_rows):
        had = count_of(facts.data_rows, "row")
        return f"The file has {had}, but the count that was sent with it is {facts.sent_count}."
    return HELD_FILE_ERRORS[code]


def tell_effect(effect: Effect) -> str:
    """Answer in one sentence whom a file leaves out, whom the organisation would let go for it, and who stays."""
    if not effect.leaves_out:
        return "It would let nobody go."
    known = f"Of {count_of(effect.known, 'known patient')} of the practitioners whom the file covers"
    missing = f"{effect.absent} {'is' if effect.absent == 1 else 'are'} missing"
    return f"{known}, {missing}; {_tell_gone(effect)}."


def _tell_gone(effect: Effect) -> str:
    if not effect.ended:
        return "nobody would be let go yet"
    gone = f"{effect.gone} would be let go at once" if effect.gone else "nobody would be let go"
    if not effect.staying:
        return gone
    stay, them = ("stays", "that one") if effect.staying == 1 else ("stay", "them")
    stay = f"{effect.staying} {stay} because another feed still lists {them}"
    return f"{gone}, and {stay}" if effect.gone else f"{gone}: {stay}"


def _doubt_order(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    """A file older than the last, by its date or by its number; a number that repeats, or skips one of a series."""
    if facts.sequence_taken:
        return Doubt("sequence_repeats", Level.HOLD, "Another file of this feed has the same number.")
    if _is_outdated(facts.as_of_at, history) or is_stale(facts.sequence, history.sequences):
        return Doubt("stale_input", Level.HOLD, HELD_FILE_ERRORS["stale_input"])
    missing = find_missing(facts.sequence, history.sequences, history.arrived)
    if missing is None:
        return None
    first, last = missing
    named = (
        f"No file with the number {first} has" if first == last else f"No files with the numbers {first} to {last} have"
    )
    return Doubt("sequence_gap", Level.HOLD, f"{named} arrived before this one, which has {facts.sequence}.")


def _is_outdated(as_of_at: datetime | None, history: History) -> bool:
    """Answer whether a file tells of an earlier second than one that counts, as claims are compared (feeds 7.3).

    One that does not say when it was made tells of its receipt, which is later than what arrived before it.
    """
    if as_of_at is None:
        return False
    counted = (at for at in (history.last_as_of_at, history.last_undated_at) if at)
    return any(as_of_at.replace(microsecond=0) < at.replace(microsecond=0) for at in counted)


def _doubt_refused(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    """What a person has refused does not count because the guards find nothing any more; a person says so."""
    if not facts.refused_before:
        return None
    return Doubt("refused_before", Level.HOLD, "A person refused the very same file before.")


def _doubt_age(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    if facts.as_of_at is None:
        return None
    age = facts.received_at - facts.as_of_at
    if age <= AGE_HOLD:
        return None
    level = Level.HARD_STOP if age > AGE_STOP else Level.HOLD
    return Doubt("old_input", level, f"The file was made {age.days} days before it was received.")


def _doubt_zero(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    if facts.present or facts.removed:
        return None
    return Doubt("zero_rows", Level.HARD_STOP, "The file holds no valid row at all.")


def _doubt_count(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    if facts.declared_count is not None or not (settings.expects_count or history.declares_count):
        return None
    who = "This feed's files must" if settings.expects_count else "Earlier files of this feed did"
    reason = f"{who} say how many rows they hold; this one does not, so its end may be missing."
    return Doubt("count_missing", Level.HOLD, reason)


def _doubt_rows(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    if facts.data_rows < settings.min_rows and facts.npis:  # a list of practitioners' names is no short roster
        reason = f"The file has {count_of(facts.data_rows, 'row')}; this feed never has fewer than {settings.min_rows}."
        return Doubt("rows_down", Level.HOLD, reason)
    if not (facts.is_snapshot and history.row_counts):
        return None
    usual = median(history.row_counts[:5])
    change = facts.data_rows - usual
    if abs(change) <= FLOOR or not usual:
        return None
    percent = 100 * change / usual
    reason = f"The file has {count_of(facts.data_rows, 'row')}; the last ones had about {usual:.0f}."
    if percent < -settings.rows_down_percent:
        return Doubt("rows_down", _weigh(-percent, FEWER_ROWS_STOP), reason)
    if percent > settings.rows_up_percent:
        return Doubt("rows_up", _weigh(percent, MORE_ROWS_STOP), reason)
    return None


def _doubt_errors(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    if not facts.data_rows:
        return None
    percent = 100 * facts.errors / facts.data_rows
    if facts.errors <= FLOOR and percent <= MOST_OF_THE_FILE:
        return None
    if percent <= settings.rejected_percent:
        return None
    return Doubt("rejected_rows", _weigh(percent, REJECTED_ROWS_STOP), _tell_errors(facts))


def _tell_errors(facts: FileFacts) -> str:
    unread, of = facts.errors - facts.foreign_rows, f"of {count_of(facts.data_rows, 'row')}"
    foreign = f"{'names' if facts.foreign_rows == 1 else 'name'} no practitioner for whom this feed speaks."
    if not facts.foreign_rows:
        return f"{unread} {of} cannot be read."
    return (
        f"{unread} {of} cannot be read, and {facts.foreign_rows} {foreign}"
        if unread
        else f"{facts.errors} {of} {foreign}"
    )


def _doubt_kept(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    """How many of the patients whom this feed knew are still there: another clinic's file has the right length."""
    known, absent = facts.effect.known, facts.effect.absent
    if not facts.is_snapshot or absent <= FLOOR:
        return None
    kept = 100 * (known - absent) / known
    if kept >= KEPT_HOLD:
        return None
    level = Level.HARD_STOP if kept < KEPT_STOP else Level.HOLD
    still = f"Only {known - absent} of the {known} patients known so far of its practitioners"
    return Doubt("patients_missing", level, f"{still} {'is' if known - absent == 1 else 'are'} in it.")


def _doubt_tenant(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    if facts.shared_patients <= FLOOR or not facts.patients:
        return None
    percent = 100 * facts.shared_patients / facts.patients
    if percent <= SHARED_HOLD:
        return None
    reason = f"About {percent:.0f} % of its patients are on the roster of another organisation here."
    return Doubt("other_organization", _weigh(percent, SHARED_STOP), reason)


def _doubt_practitioners(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    unknown = len(facts.unknown_npis)
    if not unknown:
        return None
    named = ", ".join(facts.unknown_npis[:3]) + (" and others" if unknown > 3 else "")
    level = Level.HARD_STOP if unknown > FLOOR and 100 * unknown > UNKNOWN_NPIS_STOP * facts.npis else Level.HOLD
    who = f"{count_of(unknown, 'practitioner')} in it {'was' if unknown == 1 else 'were'}"
    return Doubt("unknown_practitioners", level, f"{who} never named before: {named}.")


def _doubt_odd(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    if facts.odd_patients <= FLOOR or not facts.patients:
        return None
    percent = 100 * facts.odd_patients / facts.patients
    if percent <= ODD_HOLD:
        return None
    reason = f"{facts.odd_patients} patients have rows that differ, or more than {MANY_PRACTITIONERS} practitioners."
    return Doubt("odd_patients", _weigh(percent, ODD_STOP), reason)


def _doubt_joined(facts: FileFacts, history: History, settings: FeedSettings) -> Doubt | None:
    """A number that is another living patient's: joined by mistake, one of the two would be removed as a former number.

    Only another new number for the former one brings them apart again, and that is a contradiction a person must see:
    the opposite message only joins them under the other number.
    """
    n = facts.joined_patients
    if not n:
        return None
    told = f"{count_of(n, 'changed MBI')} would make one patient of two, or differ from what was told before."
    reason = f"{told} Where that is wrong, a patient is removed at DPC as a former number. The findings show each."
    return Doubt("joined_patients", Level.HOLD, reason)


_DOUBTS: tuple[Callable[[FileFacts, History, FeedSettings], Doubt | None], ...] = (
    _doubt_order,
    _doubt_age,
    _doubt_zero,
    _doubt_tenant,
    _doubt_count,
    _doubt_rows,
    _doubt_kept,
    _doubt_errors,
    _doubt_odd,
    _doubt_joined,
    _doubt_practitioners,
    _doubt_refused,
)


def _weigh(percent: float, stop: int) -> Level:
    return Level.HARD_STOP if percent > stop else Level.HOLD


def count_of(n: int, word: str) -> str:
    """Write a number with its word, which takes an s."""
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
