"""Say who is in each of the pack's audiences, since when and why."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, ExitStack
from functools import partial

from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.contracts import activation, gold, identity, scores, silver
from cdp_lib.contracts.table import Table
from cdp_lib.io.caching import cached
from cdp_lib.models.lookalike import LEAST_SEEDS, LookalikeModel
from cdp_lib.models.scoring import score_rows
from cdp_lib.settings.audience import Condition, Lookalike
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.audience.difference import against_yesterday, by_todays_ids
from cdp_lib.transforms.audience.members import audience_members, Means
from cdp_lib.transforms.audience.rules import with_figures
from cdp_lib.transforms.customer.traits import facts_of_people
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.forecasts.history import drawn_by_id
from jobs.look import scored_view, Tables
from jobs.page import run_page

_MOST_TRAINED_ON = 100_000
"""Customers on each side that a likeness is learned from: more of them change no weight that matters."""


def questions_of(pack: Pack) -> tuple[Condition, ...]:
    """Every question of the pack's audiences but those about other audiences."""
    return tuple(leaf for audience in pack.audiences for leaf in audience.leaves() if not leaf.audience)


def facts_of(pack: Pack) -> tuple[Table, ...]:
    """The facts that rules ask for."""
    return tuple(silver.ENTITIES[name] for name in sorted({leaf.did for leaf in questions_of(pack) if leaf.did}))


@job(
    reads=(
        gold.tables,
        scores.score_tables,
        facts_of,
        identity.IDENTITY_LINK,
        identity.IDENTITY_EVENT,
        activation.suppression,
    ),
    writes=(activation.audiences,),
    remembers=(activation.audiences,),
    shaped_by=("pack", "audience"),
)
def run(ctx: JobContext) -> None:
    """Who is in an audience now, against who was."""
    former = by_todays_ids(ctx.recall(activation.AUDIENCE_MEMBER), ctx.read(identity.IDENTITY_EVENT))
    with ctx.checkpoints() as keep, members_now(ctx, keep, former) as members, ExitStack() as kept:
        rows = against_yesterday(members, former, ctx.as_of)
        published = kept.enter_context(cached(rows))
        ctx.write(activation.AUDIENCE_MEMBER, published, kept=True)
        _tell(ctx, published)


@contextmanager
def members_now(tables: Tables, keep: Callable[[DataFrame], DataFrame], former: DataFrame) -> Iterator[DataFrame]:
    """Rows of gold.audience_member but for status and entered_date, cached until the block ends.

    `former` are its rows of the run before, by today's ids.
    One pass over the customers with all that the rules ask for, one more for each bound.
    """
    pack = tables.pack
    with cached(_customers(tables)) as customers:
        means = Means(keep, partial(_alike, tables), former, tables.as_of)
        found = audience_members(customers, tables.read(activation.SUPPRESSION), pack.audiences, means)
        dated = found.select("*", _versions(tables).alias("input_versions"), _hash(pack).alias("config_hash"))
        with cached(dated) as members:
            yield members


def _customers(tables: Tables) -> DataFrame:
    links = tables.read(identity.IDENTITY_LINK)
    facts = {table.noun: facts_of_people(tables.read(table), links) for table in facts_of(tables.pack)}
    return with_figures(
        scored_view(tables.pack, tables.read),
        questions_of(tables.pack),
        facts,
        None,
        pack=tables.pack,
        as_of=tables.as_of,
    )


def _alike(tables: Tables, like: Lookalike, candidates: DataFrame, seed: DataFrame) -> DataFrame:
    """Every candidate's likeness, learned from the seed's members against candidates, both drawn by their ids."""
    columns = [F.col("golden_id"), *[F.col(name).cast("double").alias(name) for name in like.features]]
    seeds, others = seed.select(*columns), candidates.select(*columns)
    seed_count, other_count = seeds.count(), others.count()
    if seed_count < LEAST_SEEDS or not other_count:
        tables.say(f"nobody is like {like.seed}: it has {seed_count:,} members, {LEAST_SEEDS} needed")
        return others.select("golden_id", F.lit(0.0).alias("score")).limit(0)
    sides = ((seeds, seed_count, True), (others, other_count, False))
    drawn = [
        drawn_by_id(side, size, _MOST_TRAINED_ON).withColumn("is_seed", F.lit(is_it)) for side, size, is_it in sides
    ]
    model = LookalikeModel.fit(drawn[0].unionByName(drawn[1]).toPandas(), like.features)
    return score_rows(others, model.score, "golden_id string, score double")


def _versions(tables: Tables) -> Column:
    read = (gold.customer(tables.pack), *scores.score_tables(tables.pack), *facts_of(tables.pack))
    asked = (*read, identity.IDENTITY_LINK, activation.SUPPRESSION)
    known = {table.name: tables.input_version(table) for table in asked}
    pairs = [F.lit(part) for pair in known.items() if pair[1] is not None for part in pair]
    return F.create_map(*pairs).cast("map<string,bigint>")


def _hash(pack: Pack) -> Column:
    hashes: Mapping[str, str] = {audience.id: audience.content_hash() for audience in pack.audiences}
    return F.element_at(F.create_map(*[F.lit(part) for pair in hashes.items() for part in pair]), F.col("audience_id"))


def _tell(ctx: JobContext, published: DataFrame) -> None:
    counted = published.groupBy("audience_id", "status").count().collect()
    counts = {(row["audience_id"], row["status"]): row["count"] for row in counted}
    gone = {name for name, _ in counts} - {audience.id for audience in ctx.pack.audiences}
    for name in (*[audience.id for audience in ctx.pack.audiences], *sorted(gone)):
        entered, stayed, left = (counts.get((name, status), 0) for status in ("enter", "stay", "exit"))
        ctx.say(f"{name}: {entered + stayed:,} members, {entered:,} entered, {left:,} left")


if __name__ == "__main__":
    run_page(__file__)
