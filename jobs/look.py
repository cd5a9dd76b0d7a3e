"""The tables as they stand, for those who only look: what a job's functions ask of a run, without a run."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from pyspark.sql import DataFrame

from cdp_lib.contracts import gold, scores
from cdp_lib.contracts.table import Table
from cdp_lib.errors import StorageError
from cdp_lib.io.checkpoints import checkpoints, folder_of_look
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.customer.scored_view import scored_customers
from jobs.compose import Suite

log = logging.getLogger(__name__)


class Tables(Protocol):
    """A pack's tables as of a day: those that a run pinned, or those of this moment."""

    @property
    def pack(self) -> Pack:
        """The business."""

    @property
    def as_of(self) -> date:
        """The last day that is known."""

    def read(self, table: Table) -> DataFrame:
        """The table's rows; none where it does not exist."""

    def input_version(self, table: Table) -> int | None:
        """The version that is read; None: it does not exist."""

    def say(self, message: str) -> None:
        """Tell the person who watches."""

    def checkpoints(self) -> AbstractContextManager[Callable[[DataFrame], DataFrame]]:
        """A place for frames whose lineage is cut, emptied at the end."""


@dataclass(frozen=True)
class Look:
    """The newest version of every table; nothing is written."""

    suite: Suite
    as_of: date

    @property
    def pack(self) -> Pack:
        """The business."""
        return self.suite.pack

    def read(self, table: Table) -> DataFrame:
        """The table's rows now."""
        return self.suite.store.read(table)

    def input_version(self, table: Table) -> int | None:
        """Its newest version."""
        return self.suite.store.version(table)

    def say(self, message: str) -> None:
        """Whoever looks is told by the answer; the rest goes to the log."""
        log.info("pack=%s %s", self.pack.name, message)

    def checkpoints(self) -> AbstractContextManager[Callable[[DataFrame], DataFrame]]:
        """Below the lakehouse, deleted at the end."""
        return checkpoints(self.suite.session(), folder_of_look(self.suite.store.root))


def scored_view(
    pack: Pack, read: Callable[[Table], DataFrame], has: Callable[[Table], bool] = lambda table: True
) -> DataFrame:
    """The single view with every score of the pack, as `read` gives the tables; one that it has not gives nulls."""
    published = {table.name: read(table) for table in scores.score_tables(pack) if has(table)}
    return scored_customers(read(gold.customer(pack)), published, pack)


def look_at(suite: Suite) -> Look:
    """The tables as of the single view's day; raises StorageError where there is none yet."""
    last = suite.ledger.history().last_success("gold_customer")
    if last is None or last.as_of_date is None or suite.store.version(gold.customer(suite.pack)) is None:
        raise StorageError(
            f"{suite.store.path(gold.customer(suite.pack))} does not exist. First: cdp run daily --pack "
            f"{suite.place.pack}"
        )
    return Look(suite, last.as_of_date)
