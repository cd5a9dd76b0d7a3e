"""Which connectors there are: the suite's own, and those of installed packages (entry points of `cdp.connectors`)."""

from importlib import import_module
from importlib.metadata import entry_points, EntryPoint

from cdp_lib.connectors.protocol import ConnectorKind
from cdp_lib.errors import DeliveryError, near_miss

GROUP = "cdp.connectors"

BUILT_IN = (
    "email",
    "drop",
    "webhook",
    "sms",
    "push",
    "line",
    "line_audience",
    "meta_audience",
    "google_audience",
    "tiktok_audience",
    "braze",
    "mailchimp",
    "hubspot",
    "zendesk",
    "zoom",
)
"""Modules of this package, each with a `KIND`; a module and its libraries are imported when it is asked for."""


def kinds() -> dict[str, ConnectorKind]:
    """Every connector by name, the suite's own first. Raises DeliveryError for a package that cannot be used."""
    own = {name: _built_in(name) for name in BUILT_IN}
    others = {entry.name: _third_party(entry) for entry in sorted(entry_points(group=GROUP))}
    return own | others


def kind_named(name: str) -> ConnectorKind:
    """The connector of that name. Raises DeliveryError where there is none, or its package cannot be used."""
    if name in BUILT_IN:
        return _built_in(name)
    offered = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in offered:
        known = [*BUILT_IN, *offered]
        raise DeliveryError(
            f"There is no connector '{name}'.{near_miss(name, known)} `cdp connectors list` shows them all."
        )
    return _third_party(offered[name])


def _built_in(name: str) -> ConnectorKind:
    kind: ConnectorKind = import_module(f"cdp_lib.connectors.{name}").KIND
    return kind


def _third_party(entry: EntryPoint) -> ConnectorKind:
    package = entry.dist.name if entry.dist else "an unnamed package"
    place = f"{package}: entry point {GROUP}: {entry.name} = {entry.value}"
    if entry.name in BUILT_IN:
        raise DeliveryError(f"{place}: the suite has a connector of that name. Give it another, or remove the package.")
    try:
        kind = entry.load()
    except Exception as problem:  # a stranger's module may raise anything while it is imported
        raise DeliveryError(
            f"{place}: it cannot be loaded ({type(problem).__name__}: {problem}). Mend or remove the package."
        ) from problem
    if not isinstance(kind, ConnectorKind):
        raise DeliveryError(f"{place}: it names a {type(kind).__name__}, not a ConnectorKind.")
    if kind.name != entry.name:
        raise DeliveryError(f"{place}: the connector calls itself '{kind.name}'. Give both the same name.")
    return kind
