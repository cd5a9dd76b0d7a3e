"""What audiences refer to: columns, scores, segments, entities and each other, without circles."""

from collections.abc import Collection, Iterator

from cdp_lib.errors import Fault
from cdp_lib.settings.pack import Pack


def audience_faults(pack: Pack, columns: Collection[str], functions: Collection[str] = ()) -> Iterator[Fault]:
    """Every reference that leads nowhere; `columns` are those of gold.customer, faulty traits included."""
    yield from ()
