"""Put every customer into one segment of each of the pack's segmentations, and give each segment a card."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import gold, scores
from cdp_lib.contracts.table import Table
from cdp_lib.io.caching import cached
from cdp_lib.models.clusters.clusters import ClusterModel
from cdp_lib.models.quantiles import rfm_bounds
from cdp_lib.models.scoring import score_rows
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.segmentation import Segmentation
from cdp_lib.transforms.features.cards import segment_cards
from cdp_lib.transforms.features.rfm import rfm_segments, rfm_steps, step_counts
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.forecasts.champions import in_force
from jobs.forecasts.clusters import cluster_figures, cluster_fit, cluster_learner, model_name
from jobs.forecasts.history import purchase_history, READS
from jobs.moves import moves_of
from jobs.page import run_page

_SCORES = ("recency_score", "frequency_score", "monetary_score")
_RFM_WORDS: Mapping[str, str] = {
    "recency_days": "days since the last purchase",
    "purchase_days": "days with a purchase",
    "total_amount": "spent in all",
    "monetary_amount": "spent on such a day",
}


def reads_of(pack: Pack) -> tuple[Table, ...]:
    """The single view, and what customers bought."""
    return (gold.customer(pack), *READS)


def moves(ctx: JobContext) -> str:
    """When a champion of the pack's clusters was last moved."""
    names = [model_name(one) for one in ctx.pack.segmentations if one.method == "clusters"]
    return moves_of(*names)(ctx)


@job(reads=(reads_of,), writes=(scores.segments,), shaped_by=("pack", "segmentation"), watches=moves)
def run(ctx: JobContext) -> None:
    """Each segmentation by its method; all of them make the two tables."""
    customers = ctx.read(gold.customer(ctx.pack))
    with ExitStack() as kept:
        history = kept.enter_context(purchase_history(ctx))
        features = kept.enter_context(cached(history.features()))
        parts = [
            _by_rfm(one, customers, features) if one.method == "rfm" else _by_clusters(ctx, one, customers)
            for one in ctx.pack.segmentations
        ]
        found = [(kept.enter_context(cached(part.members)), part) for part in parts]
        members = reduce(DataFrame.unionByName, [_labelled(one, part) for one, part in found])
        cards = reduce(
            DataFrame.unionByName,
            [_labelled(segment_cards(one, part.figures, part.words), part) for one, part in found],
        )
        as_of = F.lit(ctx.as_of).alias("as_of_date")
        ctx.write(scores.SEGMENT_MEMBER, members.select("*", as_of), kept=True)
        ctx.write(scores.SEGMENT_PROFILE, kept.enter_context(cached(cards.select("*", as_of))), kept=True)


@dataclass(frozen=True)
class _Part:
    """One segmentation: who is in which segment, by which model, and the figures that its cards tell in `words`."""

    segmentation: Segmentation
    members: DataFrame
    figures: DataFrame
    words: Mapping[str, str]
    label: str


def _by_rfm(segmentation: Segmentation, customers: DataFrame, features: DataFrame) -> _Part:
    """The bounds between scores are those of today's customers."""
    steps = rfm_steps(features)
    bounds = rfm_bounds(step_counts(steps).toArrow())
    segments = rfm_segments(customers, steps, bounds)
    figures = features.select(
        "golden_id",
        "recency_days",
        (F.col("frequency") + 1).alias("purchase_days"),
        "total_amount",
        "monetary_amount",
    )
    return _Part(segmentation, segments, figures, _RFM_WORDS, "rfm")


def _by_clusters(ctx: JobContext, segmentation: Segmentation, customers: DataFrame) -> _Part:
    figures = cluster_figures(customers, segmentation)
    learn = cluster_learner(ctx, segmentation, figures)
    fit = cluster_fit(ctx.pack, segmentation, figures.count())
    stored = in_force(ctx, model_name(segmentation), fit, learn)
    model = ClusterModel.from_dict(stored.body["model"])
    found = score_rows(figures, model.score, "golden_id string, cluster string, cluster_name string")
    segments = found.select(
        "golden_id",
        F.col("cluster").alias("segment"),
        F.col("cluster_name").alias("segment_name"),
        *[F.lit(None).cast("int").alias(name) for name in _SCORES],
    )
    words = {name: name.replace("_", " ") for name in segmentation.features}
    return _Part(segmentation, segments, figures, words, stored.label)


def _labelled(frame: DataFrame, part: _Part) -> DataFrame:
    return frame.select(
        F.lit(part.segmentation.id).alias("segmentation_id"), "*", F.lit(part.label).alias("model_version")
    )


if __name__ == "__main__":
    run_page(__file__)
