"""What another way of matching would change: people who would become one, and people who would become several."""

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts.silver import RECORD_KEY


def changed_people(links: DataFrame, clusters: DataFrame, customers: DataFrame) -> DataFrame:
    """One row per golden_id whose records would be grouped otherwise.

    golden_id, record_count, part_count (people that its records would belong to), joined_count (other people of today
    who would have a record in one of them), is_merge, is_split, total_amount and currency of `customers`
    (gold.customer; null: not there). `links` is silver.identity_link, `clusters` (source_system, source_record_id,
    cluster_id) the other grouping of the same records; records that stand in one of them alone change nothing.
    """
    both = links.join(clusters.select(*RECORD_KEY, F.col("cluster_id").alias("part")), list(RECORD_KEY), "inner")
    parts = both.groupBy("golden_id", "part").agg(F.count(F.lit(1)).alias("record_count"))
    mixed = parts.groupBy("part").agg(F.collect_set("golden_id").alias("together"))
    people = (
        parts.join(mixed, "part", "inner")
        .groupBy("golden_id")
        .agg(
            F.sum("record_count").alias("record_count"),
            F.count(F.lit(1)).alias("part_count"),
            # Two people may meet in several of the parts.
            (F.size(F.array_distinct(F.flatten(F.collect_list("together")))) - 1).cast("bigint").alias("joined_count"),
        )
    )
    is_merge, is_split = F.col("joined_count") > 0, F.col("part_count") > 1
    amounts = customers.select("golden_id", "total_amount", "currency")
    return (
        people.where(is_merge | is_split)
        .join(amounts, "golden_id", "left")
        .select("*", is_merge.alias("is_merge"), is_split.alias("is_split"))
    )


def summed_changes(changed: DataFrame) -> DataFrame:
    """One row per kind of change and currency: people, records and amount of `changed_people`.

    `change` is merge, split or both; a person stands in one row. currency is null for people without an order.
    """
    kind = F.when(F.col("is_merge") & F.col("is_split"), "both").when(F.col("is_merge"), "merge").otherwise("split")
    return changed.groupBy(kind.alias("change"), "currency").agg(
        F.count(F.lit(1)).alias("person_count"),
        F.sum("record_count").alias("record_count"),
        F.sum("total_amount").cast("decimal(18,2)").alias("total_amount"),
    )
