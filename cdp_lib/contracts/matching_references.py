"""What the `matching` section says of records: expressions over compared fields, and values that records have."""

from collections.abc import Callable, Collection, Iterator

from pyspark.sql import types as T

from cdp_lib.contracts.silver import CUSTOMER_RECORD
from cdp_lib.errors import near_miss
from cdp_lib.settings.matching import Matching

RECORD_TEXTS = tuple(
    column.name
    for column in CUSTOMER_RECORD.columns
    if column.name in CUSTOMER_RECORD.content_columns and isinstance(column.spark_type, T.StringType | T.DateType)
)
"""Columns of customer_record that can be compared as they are."""

ExpressionFaults = Callable[[str, Collection[str] | None], list[str]]
"""Faults of an expression that looks at one row of such columns at a time."""


def matching_faults(
    matching: Matching, identifiers: Collection[str] | None, faults_of: ExpressionFaults
) -> Iterator[tuple[str, str]]:
    """(key path below `matching`, message) of every name that leads nowhere.

    `identifiers` are the keys that feeds put into customer_record's `identifiers`; None: the pack does not tell them.
    """
    yield from _comparison_faults(matching, identifiers, faults_of)
    areas = [area for comparison in matching.comparisons for area in comparison.coarser]
    fields = dict.fromkeys((*matching.fields, *areas))
    for place, rule in enumerate(matching.blocking):
        for position, expression in enumerate(rule.on):
            messages = faults_of(expression, fields)
            if "blocking" in matching.model_fields_set:
                yield from ((f".blocking[{place}].on[{position}]", message) for message in messages)
            elif messages:
                yield ".blocking", f"is missing, and a default rule does not fit the comparisons: {messages[0]}"
                return


def _comparison_faults(
    matching: Matching, identifiers: Collection[str] | None, faults_of: ExpressionFaults
) -> Iterator[tuple[str, str]]:
    if "comparisons" not in matching.model_fields_set:
        return  # what no source tells is unknown in every record, which is no fault of the pack
    for place, comparison in enumerate(matching.comparisons):
        key = f".comparisons[{place}]"
        if comparison.value is not None:
            messages = faults_of(comparison.value, CUSTOMER_RECORD.content_columns)
            yield from ((f"{key}.value", message) for message in messages)
        else:
            yield from ((f"{key}.field", message) for message in _unknown(comparison.field, identifiers))
        for position, area in enumerate(comparison.coarser):
            if area not in matching.fields:
                yield from ((f"{key}.coarser[{position}]", message) for message in _unknown(area, identifiers))


def _unknown(field: str, identifiers: Collection[str] | None) -> list[str]:
    if identifiers is None or field in RECORD_TEXTS or field in identifiers:
        return []
    hint = near_miss(field, (*RECORD_TEXTS, *identifiers))
    return [f"'{field}' is no column of customer_record and no identifier that a source feeds.{hint}"]
