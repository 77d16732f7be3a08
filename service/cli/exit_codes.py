"""One table from every class of refusal and breakage to the exit code that scripts rely on."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from service.domain import errors as domain
from service.dpc import errors as dpc
from service.settings import SettingsWrong
from service.storage import errors as storage


class ExitCode(IntEnum):
    """What a script may conclude from the end of a verb."""

    DONE = 0
    UNEXPECTED = 1
    USAGE = 2
    PLANNED = 10
    HELD = 11
    REFUSED = 12
    DPC = 13
    LEDGER = 14
    SETTINGS = 15


EXIT_CODES: Mapping[type[Exception], ExitCode] = {
    domain.Refusal: ExitCode.REFUSED,
    domain.InvalidInput: ExitCode.USAGE,
    domain.UnreadableFile: ExitCode.REFUSED,
    domain.NotFound: ExitCode.REFUSED,
    domain.Conflict: ExitCode.REFUSED,
    domain.StalePlan: ExitCode.REFUSED,
    domain.WrongState: ExitCode.REFUSED,
    domain.Busy: ExitCode.REFUSED,
    domain.NotAllowed: ExitCode.REFUSED,
    domain.NotAuthenticated: ExitCode.REFUSED,
    domain.Unsigned: ExitCode.REFUSED,
    domain.AttestationRefused: ExitCode.REFUSED,
    domain.AppliesSwitchedOff: ExitCode.REFUSED,
    domain.LedgerBroken: ExitCode.LEDGER,
    dpc.DpcError: ExitCode.DPC,
    dpc.DpcUnavailable: ExitCode.DPC,
    dpc.OutcomeUnknown: ExitCode.DPC,
    dpc.DpcProtocolError: ExitCode.DPC,
    dpc.DpcRefused: ExitCode.DPC,
    dpc.RosterLimitReached: ExitCode.DPC,
    dpc.GroupExists: ExitCode.DPC,
    dpc.UnknownPatients: ExitCode.DPC,
    dpc.NotAttributed: ExitCode.DPC,
    dpc.NotAuthorized: ExitCode.DPC,
    dpc.NotFoundAtDpc: ExitCode.DPC,
    dpc.EdgeRefused: ExitCode.DPC,
    storage.StorageError: ExitCode.UNEXPECTED,
    storage.StorageUnavailable: ExitCode.UNEXPECTED,
    storage.AlreadyRecorded: ExitCode.REFUSED,
    storage.RecordRefused: ExitCode.REFUSED,
    storage.SealBroken: ExitCode.SETTINGS,
    SettingsWrong: ExitCode.SETTINGS,
}
"""A class that is not listed is unexpected; a test compares the table with the trees."""


def find_exit_code(error: BaseException) -> ExitCode:
    """Answer the exit code of an exception by its nearest listed class; everything else is unexpected."""
    found = (EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)
    return next(found, ExitCode.UNEXPECTED)
