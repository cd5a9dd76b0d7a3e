"""What a run is made with: its services, its gate, whether it sends, and what identifies it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol

from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.table import Table
from cdp_lib.io.ledger import OpsLedger
from cdp_lib.io.store import DeltaStore
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.settings import Settings
from cdp_lib.workflow.progress import Reporter


@dataclass(frozen=True)
class GateRequest:
    """A table about to be published, or one that stands, for the gate to judge."""

    run_id: str
    job: str
    table: Table
    batch: DataFrame
    """Rows about to be written."""
    after: DataFrame
    """The table as it will be."""
    before: Callable[[], DataFrame | None]
    """The table as it is; None: it does not exist yet."""
    neighbour: Callable[[str], DataFrame | None]
    """Another table by name as it is published now; None: it does not exist."""
    as_of: Callable[[], date]
    is_written: bool = True
    """Otherwise `batch` and `after` are the table as it stands, and only its age is judged."""


class GateVerdict(Protocol):
    """What the runner needs of a verdict."""

    @property
    def success(self) -> bool:
        """Whether the table may be published."""

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Rows of ops.quality_result."""

    @property
    def message(self) -> str:
        """What failed, for people; figures only."""


Gate = Callable[[GateRequest], GateVerdict]


@dataclass(frozen=True)
class Sending:
    """Whether a run sends what it plans, and for which moment it plans."""

    is_on: bool = False
    """Off: everything is planned and rendered, nothing leaves."""
    at: datetime | None = None
    """As asked for; None: the clock where it sends, else the morning after the as-of date."""


@dataclass(frozen=True)
class Services:
    """What a run is made with; built once by the composition root."""

    pack: Pack
    settings: Settings
    store: DeltaStore
    ledger: OpsLedger
    session: Callable[[], SparkSession]
    gate: Gate
    reporter: Reporter
    landing: str
    models: Callable[[], Any]
    """The model registry, built at first use: the libraries below it take seconds to import."""
    failpoint: Callable[[str], None] = field(default=lambda point: None)
    sending: Sending = Sending()


@dataclass(frozen=True)
class RunInfo:
    """What identifies a run; the same on resume."""

    run_id: str
    run_number: int
    workflow: str
    started_at: datetime
    as_of: date | None
    """As asked for; None: the data's last day."""
