"""How each activation of a pack reaches its customers: its destination's connector, and what is wrong with either."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError

from cdp_lib.connectors import kind_named
from cdp_lib.connectors.protocol import Connector, ConnectorKind, types_in
from cdp_lib.errors import ConfigError, DeliveryError, Fault
from cdp_lib.settings.activation import Activation, Destination
from cdp_lib.settings.kind import AS_WRITTEN
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.settings import SecretResolver
from cdp_lib.settings.validation import shape_faults
from cdp_lib.transforms.activation.ways import Way

_SECRET = re.compile(r"\$\{SECRET:([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_KEY = re.compile(
    r"(?:^|[_-])(?:password|passphrase|token|secret|(?<!host_)(?<!public_)key|credentials?)$", re.IGNORECASE
)
"""What sounds secret, whatever a stranger's connector has declared it as; host_key and public_key are for everybody."""


def destination_faults(pack: Pack) -> Iterator[Fault]:
    """Unknown connectors, settings they do not take, and activations that lack what their connector needs.

    Secrets are not looked up: a pack can be checked where they are not known.
    """
    kinds: dict[str, ConnectorKind] = {}
    for destination in pack.destinations:
        file, path = pack.place("destination", destination.id)
        try:
            kind = kind_named(destination.connector)
        except DeliveryError as problem:
            yield Fault(file, f"{path}.connector", str(problem))
            continue
        kinds[destination.id] = kind
        for key, message in _plain_secrets(destination.settings, (kind.settings,)):
            yield Fault(file, f"{path}.settings{key}", message)
        body = _revealed(destination.settings, lambda name: "secret")
        try:
            kind.settings.model_validate(body, context=AS_WRITTEN)
        except ValidationError as problem:
            hidden = set(_secret_places(destination.settings))
            for key, message in shape_faults(kind.settings, body, problem):
                if key not in hidden:
                    yield Fault(file, f"{path}.settings{key}", message)
    for activation in pack.activations:
        if activation.destination in kinds:
            file, path = pack.place("activation", activation.id)
            for key, message in _activation_faults(pack, activation, kinds[activation.destination]):
                yield Fault(file, f"{path}{key}", message)
    keeping = {name for name, kind in kinds.items() if kind.mode == "audience"}
    yield from _short_stays(pack, {one.id for one in pack.activations if one.destination in keeping})


def _short_stays(pack: Pack, lists: Collection[str]) -> Iterator[Fault]:
    """Steps of journeys that put customers on a list on which nobody would ever stand."""
    for journey in pack.journeys:
        file, path = pack.place("journey", journey.id)
        for name, step in journey.steps.items():
            if step.send in lists and not journey.waits_after(name):
                yield Fault(
                    file,
                    f"{path}.steps.{name}.send",
                    f"activation '{step.send}' keeps a list, which customers leave with the journey, and it ends here: "
                    "let a wait of 1d or more follow, or give the activation an audience in place of the journey",
                )


def _activation_faults(pack: Pack, activation: Activation, kind: ConnectorKind) -> Iterator[tuple[str, str]]:
    if kind.needs_address and kind.address is None and activation.address is None:
        yield "", f"connector {kind.name} has no column of its own to find customers by: say `address`"
    if kind.mode == "audience":
        for key in sorted({"on_birthday", "repeat_after"} & activation.model_fields_set):
            yield f".{key}", f"connector {kind.name} keeps a list, which nothing is sent to: leave {key} out"
    used = [arm.message or activation.message for arm in activation.arms] or [activation.message]
    if kind.parts and None in used:
        yield "", f"connector {kind.name} needs a message with {', '.join(kind.parts)}"
    allowed = {*kind.parts, *kind.optional_parts}
    for message in (one for one in pack.messages if one.id in used):
        parts = set(message.texts[message.default_language])
        lacking, extra = sorted(set(kind.parts) - parts), sorted(parts - allowed)
        if lacking:
            yield ".message", f"message {message.id} lacks {', '.join(lacking)}, which connector {kind.name} needs"
        if extra:
            yield ".message", f"connector {kind.name} has no place for {', '.join(extra)} of message {message.id}"


def ways_of(pack: Pack) -> tuple[Way, ...]:
    """One way for each activation, in order of priority. Raises ConfigError where a destination is unknown."""
    destinations = {one.id: one for one in pack.destinations}
    found = []
    for activation in sorted(pack.activations, key=lambda one: (one.priority, one.id)):
        kind = kind_named(destinations[activation.destination].connector)
        found.append(
            Way(
                activation=activation,
                channel=kind.channel,
                mode=kind.mode,
                needs_address=kind.needs_address,
                address=activation.address or kind.address,
                operations=kind.operations,
                is_rebuilt=kind.is_rebuilt,
            )
        )
    return tuple(found)


def build_connector(destination: Destination, resolve: SecretResolver) -> Connector:
    """The destination's connector with its secrets; raises ConfigError that names every secret that is not set."""
    names = sorted(set(_SECRET.findall(str(destination.settings))))
    missing = [name for name in names if resolve(name) is None]
    if missing:
        raise ConfigError(
            f"destination {destination.id}: secret{'s' if len(missing) > 1 else ''} {', '.join(missing)} not set. Set "
            "the environment variable of that name, or one with _FILE at its end that names a file."
        )
    kind = kind_named(destination.connector)
    return kind.build(kind.settings.model_validate(_revealed(destination.settings, lambda name: resolve(name) or "")))


def _plain_secrets(tree: Any, types: Sequence[object], place: str = "", key: str = "") -> Iterator[tuple[str, str]]:
    """Texts that are declared as secrets, or whose key sounds so, and are no ${SECRET:NAME}; none is repeated."""
    if isinstance(tree, Mapping):
        models = [one for one in types if isinstance(one, type) and issubclass(one, BaseModel)]
        declared = {name: types_in(field.annotation) for one in models for name, field in one.model_fields.items()}
        for name, value in tree.items():
            yield from _plain_secrets(value, declared.get(name, types), f"{place}.{name}", name)
    elif isinstance(tree, list | tuple):
        for position, value in enumerate(tree):
            yield from _plain_secrets(value, types, f"{place}[{position}]", key)
    elif isinstance(tree, str) and (SecretStr in types or _SECRET_KEY.search(key)) and not _SECRET.search(tree):
        yield place, f"a secret stands in plain text: write ${{SECRET:{key.upper()}}}, and keep it elsewhere"


def _secret_places(tree: Any, place: str = "") -> Iterator[str]:
    """Key paths of values that a secret stands in: what they will be is not known yet."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _secret_places(value, f"{place}.{key}")
    elif isinstance(tree, list | tuple):
        for position, value in enumerate(tree):
            yield from _secret_places(value, f"{place}[{position}]")
    elif isinstance(tree, str) and _SECRET.search(tree):
        yield place


def _revealed(tree: Any, secret: Callable[[str], str]) -> Any:
    if isinstance(tree, Mapping):
        return {key: _revealed(value, secret) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_revealed(value, secret) for value in tree]
    return _SECRET.sub(lambda found: secret(found[1]), tree) if isinstance(tree, str) else tree
