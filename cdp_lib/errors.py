"""The exception tree. Every message says what happened, where, and what to do."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


class CdpError(Exception):
    """The root: an error whose message is meant for the person who runs the suite."""


class SetupError(CdpError):
    """The machine lacks something (Java, a jar, disk): the message names the cure."""


class ConfigError(CdpError):
    """Settings or a pack are wrong; carries every fault found, not only the first."""

    def __init__(self, faults: Sequence["Fault"] | str) -> None:
        self.faults: tuple[Fault, ...] = () if isinstance(faults, str) else tuple(faults)
        super().__init__(faults if isinstance(faults, str) else "\n".join(str(fault) for fault in self.faults))


class ContractError(CdpError):
    """A table's rows or columns do not fit its declaration."""


class IngestError(CdpError):
    """A landing file or its bookkeeping cannot be handled as asked."""


class QualityError(CdpError):
    """An error-level check failed: the table was not published."""


class AccountError(CdpError):
    """Rows read differ from accepted + quarantined + duplicate."""


class WorkflowError(CdpError):
    """A job, a workflow or a run is declared or asked for wrongly."""


class LockedError(CdpError):
    """Another run holds the lakehouse."""


class StorageError(CdpError):
    """A table or file cannot be read or written."""


class ModelError(CdpError):
    """A model cannot be trained, promoted or loaded."""


class IdentityError(CdpError):
    """Identity settings or links contradict each other."""


class DeliveryError(CdpError):
    """Something cannot be sent as asked: a destination, its settings or secrets are wrong, or sending is stopped."""


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong in one file: `file: path: message`."""

    file: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}: {self.path}: {self.message}" if self.path else f"{self.file}: {self.message}"


def near_miss(word: str, choices: Iterable[str]) -> str:
    """` Did you mean 'x'?`, else the choices when they are few, else an empty string."""
    known = sorted(set(choices))
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{close[0]}'?"
    if 0 < len(known) <= 12:
        return f" Choices: {', '.join(known)}."
    return ""
