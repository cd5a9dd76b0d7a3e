"""What journeys refer to: audiences, activations and their own steps, each of which can be reached."""

from collections.abc import Collection, Iterator

from cdp_lib.errors import Fault
from cdp_lib.settings.pack import Pack


def journey_faults(pack: Pack, columns: Collection[str], functions: Collection[str] = ()) -> Iterator[Fault]:
    """Every reference that leads nowhere; `columns` are those of gold.customer, faulty traits included."""
    yield from ()
