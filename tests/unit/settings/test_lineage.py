"""Every column can be followed down to the files it comes from."""

from collections.abc import Callable

import pytest

from cdp_lib.contracts.lineage import column_lineage, CONSTANT, lineage_paths, Step
from cdp_lib.settings.pack import Pack
from tests.unit.settings.conftest import EXPORTS, SOURCES, TRAITS

PEOPLE = """\
---
kind: source
id: desk
read: {format: csv, path: "desk/*.csv"}
key: [card]
columns:
  card: {type: string}
  name: {type: string}
  level: {type: string}
  at: {type: timestamp}
feeds:
  - to: customer_record
    map:
      source_record_id: card
      full_name: name
      country: "'DE'"
      attributes: map('level', level)
      source_updated_at: at
"""
LEVEL = "---\nkind: trait\nname: level\nfrom: golden_record\nselect: attributes['level']\ntype: string\n"


@pytest.fixture
def pack(load: Callable[..., Pack]) -> Pack:
    """The gym, with a desk that knows names and levels."""
    return load(sources=SOURCES + PEOPLE, traits=TRAITS + LEVEL, exports=EXPORTS)


@pytest.mark.parametrize(
    ("target", "paths"),
    [
        (
            "gold.customer.visit_count",
            [("gold.customer.visit_count", "silver.order.order_id", "bronze.door.swipe_id")],
        ),
        (
            "gold.customer.spend_90d",
            [
                ("gold.customer.spend_90d", "silver.order.ordered_at", "bronze.door.at"),
                ("gold.customer.spend_90d", "silver.order.paid_amount", "bronze.door.paid"),
            ],
        ),
        (
            "gold.customer.level",
            [
                (
                    "gold.customer.level",
                    "silver.golden_record.attributes.level",
                    "silver.customer_record.attributes.level",
                    "bronze.desk.level",
                )
            ],
        ),
        (
            "gold.customer.last_name",
            [
                (
                    "gold.customer.last_name",
                    "silver.golden_record.last_name",
                    "silver.customer_record.last_name",
                    "bronze.desk.name",
                )
            ],
        ),
        (
            "export.members.Visits",
            [("export.members.Visits", "gold.customer.visit_count", "silver.order.order_id", "bronze.door.swipe_id")],
        ),
        (
            "silver.golden_record.country",
            [("silver.golden_record.country", "silver.customer_record.country", CONSTANT)],
        ),
        ("gold.customer.phone", [("gold.customer.phone", "silver.golden_record.phone")]),
        ("gold.customer.unheard_of", []),
    ],
)
def test_a_column_is_followed_down_to_bronze(pack: Pack, target: str, paths: list[tuple[str, ...]]) -> None:
    assert lineage_paths(column_lineage(pack), target) == paths


def test_a_trait_over_traits_goes_through_both(pack: Pack) -> None:
    ends = {path[1:3] for path in lineage_paths(column_lineage(pack), "gold.customer.spend_per_visit")}
    assert ends == {
        ("gold.customer.spend_90d", "silver.order.ordered_at"),
        ("gold.customer.spend_90d", "silver.order.paid_amount"),
        ("gold.customer.visit_count", "silver.order.order_id"),
    }


def test_a_step_shows_its_expression(pack: Pack) -> None:
    steps = column_lineage(pack)
    assert Step("gold.customer.spend_90d", "silver.order.paid_amount", "sum(paid_amount)") in steps
    assert (
        Step(
            "silver.golden_record.attributes.level",
            "silver.customer_record.attributes.level",
            "source_priority, newest",
        )
        in steps
    )
