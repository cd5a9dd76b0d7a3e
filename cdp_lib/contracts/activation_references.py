"""What activations refer to: audiences, destinations, messages, offers, and the fields that templates read."""

from collections.abc import Collection, Iterator

from cdp_lib.errors import Fault
from cdp_lib.settings.pack import Pack


def activation_faults(pack: Pack, columns: Collection[str], functions: Collection[str] = ()) -> Iterator[Fault]:
    """Every reference that leads nowhere; `columns` are those of gold.customer, faulty traits included."""
    yield from ()
