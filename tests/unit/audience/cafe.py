"""A small café for the tests: customers told in few words, and the conditions asked of them."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from cdp_lib.contracts.gold import customer
from cdp_lib.settings.audience import Audience, Condition
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.customer.scored_view import scored_customers
from tests.builders import rows
from tests.unit.customer.shop import pack_of, trait

AS_OF = date(2025, 1, 31)
TRAITS = (
    trait("visits_90d", "count(*)", window="90d"),
    trait("spend_90d", "sum(paid_amount)", window="90d"),
    trait("stores", "distinct(store_id)"),
    trait("is_vegan", "true", "golden_record", type="boolean"),
    trait("joined_date", "min(ordered_at)", type="date"),
)
SCORES = ({"kind": "churn"}, {"kind": "segmentation", "id": "rfm", "method": "rfm"})


def cafe(*documents: Mapping[str, Any], time_zone: str = "America/New_York") -> Pack:
    return pack_of(*TRAITS, *SCORES, *documents, time_zone=time_zone)


def audience(audience_id: str, where: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"kind": "audience", "id": audience_id, **({} if where is None else {"where": where}), **more}


def parsed(**more: Any) -> Audience:
    return Audience.model_validate(audience(**more))


def condition(body: Mapping[str, Any]) -> Condition:
    return Condition.model_validate(body)


def customers(spark: SparkSession, pack: Pack, *given: Mapping[str, Any]) -> DataFrame:
    """The single view with scores; traits and scores are null where they are not told."""
    table = customer(pack)
    told = rows(spark, table, *[{k: v for k, v in one.items() if k in table.column_names} for one in given])
    scored = scored_customers(told, {}, pack)
    others = [name for name in scored.columns if name not in table.column_names]
    plain = [(*row, *[one.get(name) for name in others]) for row, one in zip(told.collect(), given, strict=True)]
    return spark.createDataFrame(plain, scored.schema)
