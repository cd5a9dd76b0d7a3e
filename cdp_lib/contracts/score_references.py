"""What models and segmentations of a pack refer to: figures of the single view, and facts that somebody must feed."""

from collections.abc import Collection, Iterator

from cdp_lib.contracts.gold import CUSTOMER_FIXED, trait_type
from cdp_lib.contracts.reference_checks import feed_fault
from cdp_lib.errors import Fault, near_miss
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.sql import parse_type

_NUMBERS = frozenset({"tinyint", "smallint", "int", "bigint", "float", "double", "decimal"})
_NEEDS = {
    "lifetime_value": "order",
    "churn": "order",
    "segmentation": "order",
    "recommendation": "order_line",
    "purchase_pattern": "order_line",
    "review_topics": "review",
}
"""Kind: the entity without whose facts there is nothing to compute."""


def score_faults(pack: Pack, columns: Collection[str]) -> Iterator[Fault]:
    """Features that are no numeric column of gold.customer, and kinds whose facts no source feeds.

    `columns` are the names of gold.customer's columns, those of faulty traits included.
    """
    for kind, entity in _NEEDS.items():
        unfed = feed_fault(entity, pack)
        if unfed and pack.has(kind):
            name = pack.segmentations[0].id if kind == "segmentation" else kind
            file, path = pack.place(kind, name)
            yield Fault(file, path, f"nothing to compute from: {unfed}")
    types = _types(pack)
    for segmentation in pack.segmentations:
        file, path = pack.place("segmentation", segmentation.id)
        for position, name in enumerate(segmentation.features):
            key = f"{path}.features[{position}]"
            if name not in columns:
                yield Fault(file, key, f"unknown column '{name}' of gold.customer.{near_miss(name, columns)}")
            elif types.get(name, "double") not in _NUMBERS:
                yield Fault(file, key, f"'{name}' is no number but {types[name]}: clusters compare numbers")


def _types(pack: Pack) -> dict[str, str]:
    """Column of gold.customer: its type's name; traits whose type cannot be told are faults of their own."""
    found = {column.name: parse_type(column.type).name for column in CUSTOMER_FIXED}
    for trait in pack.traits:
        try:
            found[trait.name] = parse_type(trait_type(trait, pack)).name
        except ValueError:
            continue
    return found
