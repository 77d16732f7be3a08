"""A feed's settings in sentences that somebody who answers for them understands without a manual."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from service.domain.intake import FEWER_ROWS_STOP, FLOOR, MORE_ROWS_STOP, REJECTED_ROWS_STOP
from service.workflows.feeds import FeedView
from service.workflows.silence import tell_span

_ROLE_WORDS = {
    "mbi": "the patient's MBI",
    "npi": "the practitioner's NPI",
    "action": "add or remove",
    "death_date": "the date of death",
    "end_date": "the end of the attribution",
    "first_name": "the first name",
    "last_name": "the last name",
    "whole_name": "the whole name",
    "birth_date": "the date of birth",
    "gender": "the gender",
}


@dataclass(frozen=True, slots=True)
class FeedWord:
    """One thing that was decided about a feed: what it is about, what holds, and the settings behind it."""

    subject: str
    sentence: str
    settings: tuple[str, ...]


def describe_feed(feed: FeedView) -> tuple[FeedWord, ...]:
    """Answer everything that was decided about a feed, in the order in which a file meets it."""
    return (
        FeedWord("What a file is", _tell_mode(feed), ("mode",)),
        FeedWord("Letting patients go", _tell_absences(feed), ("absences_before_removal", "scope")),
        FeedWord("Letting many go", _tell_removals(feed), ("max_removals", "max_removal_percent")),
        FeedWord("Whom it may speak for", _tell_practitioners(feed), ("practitioners",)),
        FeedWord("How often it comes", _tell_cadence(feed), ("expected_every_hours",)),
        FeedWord("How large it is", _tell_size(feed), ("min_rows", "rows_down_percent", "rows_up_percent")),
        FeedWord("Wrong rows", _tell_rejected(feed), ("rejected_percent",)),
        FeedWord("Number of rows", _tell_count(feed), ("expects_count",)),
        FeedWord("Patients of others", _tell_shared(feed), ("shares_patients",)),
        FeedWord("Columns", _tell_columns(feed), ("column_mapping", "header_hash")),
        FeedWord("Encoding", _tell_encoding(feed), ("encoding",)),
    )


def name_role(role: str) -> str:
    """Answer what a column is for, in words."""
    return _ROLE_WORDS.get(role, role)


def _tell_mode(feed: FeedView) -> str:
    if feed.mode == "snapshot":
        return "A file lists everybody: who is missing from it may have left."
    return "A file lists changes only: who is missing from it stays; only a row that says so lets somebody go."


def _tell_absences(feed: FeedView) -> str:
    if feed.mode == "delta":
        return "A file never lets patients go because they are missing from it."
    n = feed.absences_before_removal
    when = "as soon as it lacks them" if n == 1 else f"only after {n} snapshots in a row without them"
    whom = (
        "of practitioners who occur in the file" if feed.scope == "providers_in_file" else "of every practitioner here"
    )
    return f"A file may let patients go {when}, and only patients {whom}."


def _tell_removals(feed: FeedView) -> str:
    n, percent = feed.settings["max_removals"], feed.settings["max_removal_percent"]
    limits = [f"{n:,} patient{'' if n == 1 else 's'}"] if n is not None else []
    limits += [f"{percent} % of the patients known to it (and more than {FLOOR})"] if percent is not None else []
    if not limits:
        return "The feed has no limit of its own; the guards of every plan hold removals that are too many."
    return f"A file that would let go more than {' or '.join(limits)} lets nobody go until a person has looked at it."


def _tell_practitioners(feed: FeedView) -> str:
    npis = feed.settings["practitioners"]
    if not npis:
        return "It may speak for every practitioner of the organisation."
    return f"It may speak for {len(npis)} practitioner{'' if len(npis) == 1 else 's'} only: {', '.join(npis)}."


def _tell_cadence(feed: FeedView) -> str:
    hours = feed.settings["expected_every_hours"]
    if hours is None:
        return "Nothing is expected at any time: silence is not noticed."
    return f"A delivery is expected at least every {tell_span(timedelta(hours=hours))}; longer silence is an incident."


def _tell_size(feed: FeedView) -> str:
    least, down, up = (feed.settings[name] for name in ("min_rows", "rows_down_percent", "rows_up_percent"))
    floor = f"A file with fewer than {least:,} row{'' if least == 1 else 's'} waits for a person."
    if feed.mode == "delta":
        return floor if least else "A file of changes may have any number of rows."
    usual = (
        f"A file that is more than {down} % smaller or more than {up} % larger than usual waits for a person,"
        f" for two when it is more than {FEWER_ROWS_STOP} % smaller or more than {MORE_ROWS_STOP} % larger."
    )
    return f"{floor} {usual}" if least else usual


def _tell_rejected(feed: FeedView) -> str:
    percent = feed.settings["rejected_percent"]
    limit = f"more than {FLOOR} rows or half of them" + (f", and more than {percent} % of all," if percent else "")
    return f"A file in which {limit} cannot be read waits for a person; above {REJECTED_ROWS_STOP} % for two."


def _tell_count(feed: FeedView) -> str:
    if feed.settings["expects_count"]:
        return "A file must say how many rows it has; one that does not waits for a person."
    return "A file need not say how many rows it has."


def _tell_shared(feed: FeedView) -> str:
    if feed.settings["shares_patients"]:
        return "Its patients may well be on the roster of another organisation here; that holds no file."
    return "A file with many patients of another organisation here may be misdirected and waits for a person."


def _tell_columns(feed: FeedView) -> str:
    mapping = feed.settings["column_mapping"]
    if not mapping:
        return "Columns are recognised by their headings."
    chosen = "; ".join(f"“{heading}” is {name_role(role)}" for role, heading in mapping.items())
    pinned = "Other headings hold the file until somebody confirms the columns again."
    if not feed.settings["header_hash"]:
        pinned = "The first file that counts with them shows the headings; from then on others hold the file."
    return f"A person chose the columns: {chosen}. {pinned}"


def _tell_encoding(feed: FeedView) -> str:
    encoding = feed.settings["encoding"]
    return f"Files are read as {encoding}." if encoding else "Recognised file by file."
