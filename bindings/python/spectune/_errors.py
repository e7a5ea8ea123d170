"""Exceptions, one for each status of the library."""
from __future__ import annotations

from ._abi import STATUS_TEXT, Status


class SpectuneError(Exception):
    """The library refused or failed. The text is the library's own: what was wrong, where, and what would be right.

    `status` is its number, as in the C headers (:class:`spectune.Status`).
    """

    status = int(Status.EINTERNAL)

    def __init__(self, text: str = "", status: int | None = None) -> None:
        super().__init__(text)
        if status is not None:
            self.status = int(status)

    def __reduce__(self):
        return type(self), (str(self), self.status)


class InvalidArgumentError(SpectuneError, ValueError):
    """An argument is outside its documented range."""


class OutOfMemoryError(SpectuneError, MemoryError):
    """Memory could not be had."""


class FileError(SpectuneError, OSError):
    """A file could not be read or written."""

    def __str__(self):
        return str(self.args[0]) if self.args else ""


class FormatError(SpectuneError, ValueError):
    """The content of a file is not understood."""


class NotFoundError(SpectuneError, LookupError):
    """There is nothing of that name; the text offers the nearest."""


class BusyError(SpectuneError, RuntimeError):
    """Not possible at this moment."""


class MismatchError(SpectuneError, ValueError):
    """Something differs from what is on record."""


class DataError(SpectuneError, ValueError):
    """Spectra or reference values cannot be used."""


class ShapeError(SpectuneError, ValueError):
    """The network is impossible for this input."""


class DivergedError(SpectuneError, ArithmeticError):
    """The training loss became infinite or not a number."""


class StoreError(SpectuneError, RuntimeError):
    """The store of studies failed."""


class VersionError(SpectuneError, ValueError):
    """Written in a newer format than this library knows."""


class UnsupportedError(SpectuneError, NotImplementedError):
    """This build of the library cannot do that."""


class CapacityError(SpectuneError, BufferError):
    """A buffer is too small."""


class MemoryLimitError(SpectuneError, MemoryError):
    """More memory is needed than the host allows."""


class CallbackError(SpectuneError, RuntimeError):
    """A callback failed without an exception."""


class InternalError(SpectuneError, RuntimeError):
    """A defect of the library."""


class TrialPruned(Exception):
    """Raised by an objective: the trial is given up. Its value is the last one that was reported."""


class TrialTimeout(Exception):
    """Raised by `Trial.report()` and `Trial.heartbeat()` when the trial has taken longer than the study allows. An
    objective lets it pass; the trial ends as failed, reason "timeout"."""


#: The exception of each status.
BY_STATUS = {
    Status.EINVAL: InvalidArgumentError, Status.ENOMEM: OutOfMemoryError, Status.EIO: FileError,
    Status.EFORMAT: FormatError, Status.ENOTFOUND: NotFoundError, Status.EBUSY: BusyError,
    Status.EMISMATCH: MismatchError, Status.EDATA: DataError, Status.ESHAPE: ShapeError,
    Status.EDIVERGED: DivergedError, Status.ESTORE: StoreError, Status.EVERSION: VersionError,
    Status.EUNSUPPORTED: UnsupportedError, Status.ECAPACITY: CapacityError, Status.ELIMIT: MemoryLimitError,
    Status.ECALLBACK: CallbackError, Status.EINTERNAL: InternalError,
}


def error_of(status, text):
    """The exception of a negative status. A number that is not known is read as a failure."""
    return BY_STATUS.get(status, SpectuneError)(text or STATUS_TEXT.get(status, f"status {status}"), status)


def status_of(error):
    """The status that stands for an exception where a callback has to give one."""
    return error.status if isinstance(error, SpectuneError) else int(Status.ECALLBACK)
