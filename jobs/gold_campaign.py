"""Measure what each campaign did: what was sent and answered, and what customers did more than those held out."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

from pyspark.sql import DataFrame, functions as F, Row

from cdp_lib.contracts import activation, identity, results, silver
from cdp_lib.contracts.table import Table
from cdp_lib.errors import AccountError
from cdp_lib.io.caching import cached
from cdp_lib.io.local_rows import content_rows
from cdp_lib.models.experiment import Experiment, Sample
from cdp_lib.settings.pack import Pack
from cdp_lib.transforms.campaign.figures import campaign_rows
from cdp_lib.transforms.campaign.intents import assigned_counts, delivery_accounts, exposures, intents, unbalanced
from cdp_lib.transforms.campaign.measures import kpi_values, measures_of, sufficient_statistics
from cdp_lib.transforms.campaign.reactions import code_uses, reaction_counts, redemptions
from cdp_lib.transforms.customer.traits import facts_of_people
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.page import run_page


def facts_of(pack: Pack) -> tuple[Table, ...]:
    """The facts that KPIs and redemptions are read from, and all others that are fed: they tell the data's last day."""
    asked = {measure.kpi.from_ for measure in measures_of(pack)}
    wanted = pack.fed & set(silver.FACT_TIME) | asked | {"order", "campaign_response"}
    return tuple(silver.ENTITIES[name] for name in sorted(wanted))


@job(
    reads=(
        facts_of,
        results.referrals,
        identity.IDENTITY_LINK,
        identity.IDENTITY_EVENT,
        activation.DELIVERY,
        activation.OFFER_CODE,
    ),
    writes=(results.campaigns,),
    shaped_by=("pack", "activation"),
)
def run(ctx: JobContext) -> None:
    """Check the account of what was sent, then measure; nothing to do before the first delivery."""
    if ctx.input_version(activation.DELIVERY) is None:
        ctx.say("nothing was planned yet")
        return
    with ExitStack() as kept:
        known = kept.enter_context(cached(intents(ctx.read(activation.DELIVERY))))
        accounts = kept.enter_context(cached(delivery_accounts(known)))
        check_accounts(unbalanced(accounts).orderBy("activation_id", "arm").collect())
        people = kept.enter_context(cached(exposures(known, ctx.read(identity.IDENTITY_EVENT))))
        values = kpi_values(people, _kpi_facts(ctx), ctx.pack, as_of=ctx.as_of)
        statistics = kept.enter_context(cached(sufficient_statistics(values)))
        figures = campaign_rows(accounts, _reactions(ctx, people), statistics, ctx.pack, as_of=ctx.as_of)
        ctx.write(results.CAMPAIGN_RESULT, figures)
        ctx.write(results.EXPERIMENT_RESULT, _experiment_frame(ctx, known, people, statistics))


def check_accounts(wrong: Iterable[Row]) -> None:
    """Raises AccountError with the figures of every row of `unbalanced`."""
    told = [
        f"activation {row['activation_id']}, arm {row['arm']}: {row['sent_count']:,} sent, but "
        f"{row['accepted_count']:,} accepted + {row['rejected_count']:,} rejected + {row['unknown_count']:,} unknown"
        for row in wrong
    ]
    if told:
        raise AccountError(
            f"{activation.DELIVERY.name}: {'; '.join(told)}. An intent that was handed over has no end, or one that has"
            " an end was never handed over: run the activation again, which reads what its journal knows."
        )


def _facts(ctx: JobContext, entity: str) -> DataFrame:
    return facts_of_people(ctx.read(silver.ENTITIES[entity]), ctx.read(identity.IDENTITY_LINK))


def _kpi_facts(ctx: JobContext) -> dict[str, DataFrame]:
    """Entity: its facts, of referrals those that are credited."""
    facts = {entity: _facts(ctx, entity) for entity in sorted({one.kpi.from_ for one in measures_of(ctx.pack)})}
    if "referral" in facts and results.referrals(ctx.pack):
        credited = ctx.read(results.REFERRAL_CREDIT).where(F.col("status") == results.CREDITED)
        facts["referral"] = facts["referral"].join(credited, list(silver.REFERRAL.key), "left_semi")
    return facts


def _reactions(ctx: JobContext, people: DataFrame) -> DataFrame:
    responses = _facts(ctx, "campaign_response")
    issued, events = ctx.read(activation.OFFER_CODE), ctx.read(identity.IDENTITY_EVENT)
    redeemed = redemptions(code_uses(responses, _facts(ctx, "order")), issued, events)
    return reaction_counts(people, responses, redeemed, as_of=ctx.as_of, time_zone=ctx.pack.info.time_zone)


def _experiment_frame(ctx: JobContext, known: DataFrame, people: DataFrame, statistics: DataFrame) -> DataFrame:
    """A row per arm, KPI and activation: what the driver gets of each is a dozen sums."""
    samples: dict[tuple[str, str], dict[str, Sample]] = {}
    for row in statistics.collect():
        samples.setdefault((row["activation_id"], row["kpi"]), {})[row["arm"]] = Sample.of_sums(row.asDict())
    assigned: dict[str, dict[str, int]] = {}
    for row in assigned_counts(known).collect():
        assigned.setdefault(row["activation_id"], {})[row["arm"]] = row["customer_count"]
    crossed = people.where("is_crossed").groupBy("activation_id").agg(F.count("*").alias("crossed_count"))
    crossed_counts = {row["activation_id"]: row["crossed_count"] for row in crossed.collect()}
    by_id = {one.id: one for one in ctx.pack.activations}
    found: list[Mapping[str, Any]] = []
    for measure in measures_of(ctx.pack):
        name, kpi = measure.activation_id, measure.kpi.id
        experiment = Experiment(
            by_id[name],
            samples.get((name, kpi), {}),
            assigned.get(name, {}),
            crossed_counts.get(name, 0),
            measure.is_money,
        )
        shared = {"activation_id": name, "kpi": kpi, "as_of_date": ctx.as_of}
        found += [shared | row for row in experiment.rows()]
    return content_rows(ctx.spark, results.EXPERIMENT_RESULT, found)


if __name__ == "__main__":
    run_page(__file__)
