"""A job is a page: a function, and the tables it reads, writes and remembers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cdp_lib.contracts.table import Table
from cdp_lib.errors import WorkflowError
from cdp_lib.settings.pack import OPTIONAL_KINDS, Pack

if TYPE_CHECKING:
    from cdp_lib.workflow.context import JobContext

TablesOf = Callable[[Pack], tuple[Table, ...]]
Declared = Sequence[Table | TablesOf]


@dataclass(frozen=True)
class Job:
    """What the runner needs to know of a page."""

    name: str
    purpose: str
    run: Callable[["JobContext"], None]
    reads: tuple[Table | TablesOf, ...]
    writes: tuple[Table | TablesOf, ...]
    remembers: tuple[Table | TablesOf, ...]
    shaped_by: tuple[str, ...]
    """Kinds of the pack whose change makes the job start over: pack, source, identity, trait."""
    watches: Callable[["JobContext"], str] | None
    """Fingerprint of what it reads outside the lakehouse; the same fingerprint, nothing new."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Kinds that a pack may leave out: without any of them there is nothing for the job to do."""
        return tuple(kind for kind in self.shaped_by if kind in OPTIONAL_KINDS)

    def is_wanted(self, pack: Pack) -> bool:
        """Whether the pack has a kind that the job needs, and a table of those that it writes."""
        is_asked_for = not self.needs or any(pack.has(kind) for kind in self.needs)
        return is_asked_for and (not self.writes or bool(self.written_tables(pack)))

    def read_tables(self, pack: Pack) -> tuple[Table, ...]:
        """Tables whose producers run before this job."""
        return _resolve(self.reads, pack)

    def written_tables(self, pack: Pack) -> tuple[Table, ...]:
        """Tables that this job alone may write in a run."""
        return _resolve(self.writes, pack)

    def remembered_tables(self, pack: Pack) -> tuple[Table, ...]:
        """What earlier runs wrote, this job or one that comes after it: no edge."""
        return _resolve(self.remembers, pack)


def job(
    *,
    reads: Declared = (),
    writes: Declared,
    remembers: Declared = (),
    shaped_by: Sequence[str] = ("pack",),
    watches: Callable[["JobContext"], str] | None = None,
) -> Callable[[Callable[["JobContext"], None]], Job]:
    """Make a job of a page's `run` function; its name is the page's, its purpose the page's first line."""

    def declare(run: Callable[["JobContext"], None]) -> Job:
        name = Path(run.__code__.co_filename).stem
        purpose = str(run.__globals__.get("__doc__") or "").strip().split("\n")[0]
        if not purpose:
            raise WorkflowError(f"job {name}: its page has no docstring. Say in its first line what comes out.")
        declared = (tuple(reads), tuple(writes), tuple(remembers), tuple(shaped_by))
        return Job(name, purpose, run, *declared, watches)

    return declare


def _resolve(declared: Sequence[Table | TablesOf], pack: Pack) -> tuple[Table, ...]:
    return tuple(table for item in declared for table in ((item,) if isinstance(item, Table) else item(pack)))
