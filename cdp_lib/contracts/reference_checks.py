"""Checks that references of several kinds share: expressions over rows, aggregates of facts, circles."""

from collections.abc import Collection, Iterator, Mapping

from cdp_lib.contracts.silver import ENTITIES, FACT_TIME
from cdp_lib.errors import near_miss
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.sql import expression_faults, has_aggregate
from cdp_lib.settings.trait import DERIVED_FROM, Trait


def row_faults(text: str, columns: Collection[str] | None, functions: Collection[str] = ()) -> list[str]:
    """Faults of an expression that looks at one row at a time."""
    messages = expression_faults(text, columns, functions)
    if not messages and has_aggregate(text):
        return [f"{text!r} aggregates rows, but only one row is looked at here"]
    return messages


def fact_faults(
    trait: Trait, functions: Collection[str] = (), others: Collection[str] = DERIVED_FROM
) -> Iterator[tuple[str, str]]:
    """(key below the trait, message) of a figure over an entity's facts; `others` are what else it might be from."""
    if trait.from_ not in FACT_TIME:
        yield ".from", f"unknown entity '{trait.from_}'.{near_miss(trait.from_, (*FACT_TIME, *others))}"
        return
    columns = ENTITIES[trait.from_].content_columns
    function, argument = trait.call
    if argument != "*":
        yield from ((".select", message) for message in row_faults(argument, columns, functions))
    elif function != "count":
        yield ".select", f"only count takes *, not {function}"
    if trait.where:
        yield from ((".where", message) for message in row_faults(trait.where, columns, functions))


def feed_fault(entity: str, pack: Pack) -> str:
    """Why there will be no fact of the entity; empty where a source feeds it, or a faulty one may be meant to."""
    is_known = pack.knows_all("source") and pack.fed <= ENTITIES.keys()
    if entity in pack.fed or entity not in ENTITIES or not is_known:
        return ""
    return f"no source feeds {entity}. Add a feed `to: {entity}`."


def way_back(name: str, reads: Mapping[str, Collection[str]]) -> list[str]:
    """The shortest chain from `name` to itself; empty where there is none."""
    chains, seen = [[name]], {name}
    for chain in chains:
        for step in reads[chain[-1]]:
            if step == name:
                return [*chain, name]
            if step not in seen:
                seen.add(step)
                chains.append([*chain, step])
    return []
