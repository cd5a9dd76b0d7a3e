"""What activations refer to: audiences, destinations, messages, offers, and the fields that templates read."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cdp_lib.contracts.reference_checks import feed_fault
from cdp_lib.contracts.scores import customer_scores
from cdp_lib.contracts.silver import ENTITIES, FACT_TIME
from cdp_lib.errors import Fault, near_miss
from cdp_lib.settings.activation import Activation, Kpi, Message
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.sql import expression_faults, has_aggregate

_ROOTS = ("customer", "offer", "products", "activation", "business", "unsubscribe_url")
_FIELDS: dict[str, tuple[str, ...]] = {
    "offer": ("title", "description", "code", "ends_at"),
    "activation": ("id", "arm"),
    "business": ("title", "currency"),
}
"""Fields of each root that a template may read; of `customer` they are the single view's columns."""

_MEASURES = ("count", "count_distinct", "sum")
_CALL = re.compile(r"^\s*([a-z_]+)\s*\((.*)\)\s*$", re.IGNORECASE | re.DOTALL)

_Keyed = Iterator[tuple[str, str]]
"""(key path below the object, message)."""


def activation_faults(pack: Pack, columns: Collection[str], functions: Collection[str] = ()) -> Iterator[Fault]:
    """Every reference that leads nowhere; `columns` are those of gold.customer, faulty traits included."""
    scored = {column.name for of_table in customer_scores(pack).values() for column in of_table}
    check = _Check(pack, frozenset(columns) | scored, functions)
    parts = {
        "activation": [(one.id, check.activation(one)) for one in pack.activations],
        "message": [(one.id, check.message(one)) for one in pack.messages],
        "contact_policy": [("contact_policy", check.policy())],
    }
    for kind, objects in parts.items():
        for name, faults in objects:
            file, path = pack.place(kind, name)
            for key, message in faults:
                yield Fault(file, f"{path}{key}", message)


@dataclass(frozen=True)
class _Check:
    """One pack under examination; `view` are the columns of the single view with scores."""

    pack: Pack
    view: Collection[str]
    functions: Collection[str]

    def activation(self, one: Activation) -> _Keyed:
        yield from self._names(one)
        if one.address:
            yield from ((".address", message) for message in self._of_a_row(one.address, self.view))
        for name, text in one.fields.items():
            yield from ((f".fields.{name}", message) for message in self._of_a_row(text, self.view))
        if one.products and self.pack.recommendation is None:
            yield ".products", "nothing is recommended: add a document `kind: recommendation`"
        for position, kpi in enumerate(one.kpis):
            yield from ((f".kpis[{position}]{key}", message) for key, message in self._kpi(kpi))
        yield from self._what_messages_need(one)

    def _names(self, one: Activation) -> _Keyed:
        sent = {step.send for journey in self.pack.journeys for step in journey.steps.values() if step.send}
        if one.audience is not None:
            yield from self._known(".audience", "audience", one.audience)
        elif one.id not in sent and self.pack.knows_all("journey"):
            yield "", "nobody gets it: name an audience, or let a step of a journey send it"
        yield from self._known(".destination", "destination", one.destination)
        named = [("", one.message, one.offer)]
        named += [(f".arms[{position}]", arm.message, arm.offer) for position, arm in enumerate(one.arms)]
        for key, message, offer in named:
            if message is not None:
                yield from self._known(f"{key}.message", "message", message)
            if offer is not None:
                yield from self._known(f"{key}.offer", "offer", offer)

    def _known(self, key: str, kind: str, name: str) -> _Keyed:
        known = self.pack.written_names(kind) | {getattr(one, "id", "") for one in self.pack.objects(kind)}
        if name not in known:
            article = "an" if kind[0] in "aeiou" else "a"
            cure = near_miss(name, known) or f" Write {article} {kind} of that id."
            yield key, f"unknown {kind} '{name}'.{cure}"

    def _of_a_row(self, text: str, columns: Collection[str]) -> list[str]:
        messages = expression_faults(text, columns, self.functions)
        if not messages and has_aggregate(text):
            return [f"{text!r} aggregates rows, but only one row is looked at here"]
        return messages

    def _kpi(self, kpi: Kpi) -> _Keyed:
        if kpi.from_ not in FACT_TIME:
            yield ".from", f"unknown entity '{kpi.from_}'.{near_miss(kpi.from_, FACT_TIME)}"
            return
        if unfed := feed_fault(kpi.from_, self.pack):
            yield ".from", unfed
            return
        columns = ENTITIES[kpi.from_].content_columns
        call = _CALL.match(kpi.select)
        function, argument = (call[1].lower(), call[2].strip()) if call else ("", "")
        if function not in _MEASURES:
            yield ".select", f"{kpi.select!r} is not one of {', '.join(_MEASURES)} around one expression"
        elif argument != "*":
            yield from ((".select", message) for message in self._of_a_row(argument, columns))
        elif function != "count":
            yield ".select", f"only count takes *, not {function}"
        if kpi.where:
            yield from ((".where", message) for message in self._of_a_row(kpi.where, columns))

    def _what_messages_need(self, one: Activation) -> _Keyed:
        """Roots that a message reads and the activation does not fill, for each version that is sent."""
        texts = {message.id: message for message in self.pack.messages}
        versions = [("", one.message, one.offer)] if not one.arms else []
        versions += [
            (f".arms[{position}]" if arm.message else "", arm.message or one.message, arm.offer or one.offer)
            for position, arm in enumerate(one.arms)
        ]
        for key, name, offer in dict.fromkeys(versions):
            roots = {root for root, _ in texts[name].fields} if name in texts else set()
            if "offer" in roots and offer is None:
                yield f"{key}.message", f"message '{name}' reads offer, but no offer is made: name one"
            if "products" in roots and one.products == 0:
                yield f"{key}.message", f"message '{name}' reads products: say how many, e.g. products: 3"

    def message(self, one: Message) -> _Keyed:
        if one.language is not None and one.language not in self.view:
            yield ".language", f"unknown column '{one.language}'.{near_miss(one.language, self.view)}"
        policy = self.pack.contact_policy
        for root, name in sorted(one.fields):
            if root not in _ROOTS:
                yield ".texts", f"templates know no '{root}'.{near_miss(root, _ROOTS)}"
            elif root == "unsubscribe_url" and (policy is None or policy.unsubscribe_url is None):
                yield ".texts", "unsubscribe_url is read, but contact_policy names none: say `unsubscribe_url`"
            elif name and root == "customer" and name not in self.view:
                yield ".texts", f"unknown field 'customer.{name}'.{near_miss(name, self.view)}"
            elif name and name not in _FIELDS.get(root, (name,)):
                yield ".texts", f"unknown field '{root}.{name}'.{near_miss(name, _FIELDS[root])}"

    def policy(self) -> _Keyed:
        policy = self.pack.contact_policy
        zone = None if policy is None else policy.time_zone
        if zone is not None and zone not in self.view:
            yield ".time_zone", f"unknown column '{zone}'.{near_miss(zone, self.view)}"
