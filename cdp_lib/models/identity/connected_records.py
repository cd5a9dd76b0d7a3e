"""Connected components of a graph of any size, on the executors."""

from collections.abc import Callable

from pyspark.sql import DataFrame, functions as F, Window as W

from cdp_lib.errors import IdentityError

MAX_ROUNDS = 60
"""The algorithm is proven to need the square of log(records) rounds and is seen to need about log(records)."""


def connected_records(edges: DataFrame, checkpoint: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """One row per record of an edge that is not alone: record_key, component_key, its component's smallest record.

    `edges` holds record_l and record_r in either order; a record may be its own neighbour. By alternating large-star
    and small-star operations (Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii: Connected Components in MapReduce
    and Beyond, 2014): each node hands its neighbours on to the smallest of them, until every component is a star around
    its smallest record. `checkpoint` is called once a round. Raises IdentityError after MAX_ROUNDS.
    """
    stars = checkpoint(_upward(edges))
    for _ in range(MAX_ROUNDS):
        if _are_stars(stars):
            around = stars.select(F.col("child").alias("record_key"), F.col("parent").alias("component_key"))
            middles = stars.select(F.col("parent").alias("record_key"), F.col("parent").alias("component_key"))
            return around.unionByName(middles.distinct())
        stars = checkpoint(_small_star(_large_star(stars)))
    raise IdentityError(
        f"Components did not settle in {MAX_ROUNDS} rounds. Lower max_records of identifiers, or raise the threshold "
        "in the pack's identity.yml: records hang together in chains that no person explains."
    )


def _upward(edges: DataFrame) -> DataFrame:
    """Each edge once, from the larger record (child) to the smaller (parent)."""
    ends = edges.where(F.col("record_l") != F.col("record_r")).select(
        F.greatest("record_l", "record_r").alias("child"), F.least("record_l", "record_r").alias("parent")
    )
    return ends.distinct()


def _large_star(edges: DataFrame) -> DataFrame:
    """Every larger neighbour of a node is handed to the smallest among the node and its neighbours."""
    turned = edges.select(F.col("parent").alias("node"), F.col("child").alias("neighbour"))
    around = edges.select(F.col("child").alias("node"), F.col("parent").alias("neighbour")).unionByName(turned)
    smallest = F.least("node", F.min("neighbour").over(W.partitionBy("node")))
    return (
        around.select("node", "neighbour", smallest.alias("smallest"))
        .where("neighbour > node")
        .select(F.col("neighbour").alias("child"), F.col("smallest").alias("parent"))
    )


def _small_star(edges: DataFrame) -> DataFrame:
    """A node and all of its smaller neighbours are handed to the smallest of these."""
    smallest = edges.select("child", "parent", F.min("parent").over(W.partitionBy("child")).alias("smallest"))
    handed_on = F.when(F.col("parent") == F.col("smallest"), F.col("child")).otherwise(F.col("parent"))
    return smallest.select(handed_on.alias("child"), F.col("smallest").alias("parent")).distinct()


def _are_stars(edges: DataFrame) -> bool:
    """Whether no parent is a child, and no child has two parents: then nothing would change any more."""
    children = edges.select(F.col("child").alias("node"), F.lit(1).alias("parents"), F.lit(False).alias("is_parent"))
    parents = edges.select(F.col("parent").alias("node"), F.lit(0).alias("parents"), F.lit(True).alias("is_parent"))
    nodes = children.unionByName(parents).groupBy("node")
    roles = nodes.agg(F.sum("parents").alias("parents"), F.max("is_parent").alias("is_parent"))
    return roles.where((F.col("parents") > 1) | ((F.col("parents") > 0) & F.col("is_parent"))).isEmpty()
