"""Clusters of customers by figures of the single view: found once, and weekly anew under the labels they had."""

import hashlib

import pandas as pd
from pyspark.sql import DataFrame, functions as F

from cdp_lib.contracts import gold
from cdp_lib.models.charts import Bars, Chart, Curves
from cdp_lib.models.clusters.clusters import ClusterModel
from cdp_lib.models.clusters.kmeans import ClusterSettings
from cdp_lib.models.training import StoredModel, Training
from cdp_lib.settings.kind import Frozen
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.segmentation import Segmentation
from cdp_lib.transforms.customer.derived import columns_read
from cdp_lib.workflow.context import JobContext
from jobs.forecasts.champions import AS_OF, CUSTOMER_COUNT, FEATURES, Fit, Learn, Lesson, SETTINGS_HASH
from jobs.forecasts.history import drawn_by_id

MOST_TRAINED_ON = 200_000
"""Customers that clusters are found among, drawn by the hash of their ids."""


def model_name(segmentation: Segmentation) -> str:
    """What the registry calls the segmentation's clusters, after the pack's name."""
    return f"segment_{segmentation.id}"


def cluster_figures(customers: DataFrame, segmentation: Segmentation) -> DataFrame:
    """golden_id and the segmentation's features as doubles; null: unknown."""
    return customers.select("golden_id", *[F.col(name).cast("double") for name in segmentation.features])


def cluster_fit(pack: Pack, segmentation: Segmentation, customer_count: int = 0) -> Fit:
    """What a champion must fit: the settings, and how each feature is computed, by whichever traits; no description."""
    traits = {trait.name: trait for trait in pack.traits}
    shaping, waiting = {}, set(segmentation.features)
    while waiting:
        name = waiting.pop()
        if name in traits and name not in shaping:
            shaping[name] = traits[name]
            waiting |= columns_read(traits[name]) if traits[name].from_ == "customer" else set()
    parts: list[Frozen] = [segmentation, *(shaping[name] for name in sorted(shaping))]
    hashes = [part.content_hash(without=frozenset({"description"})) for part in parts]
    told = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    return Fit(told, customer_count, features=frozenset(segmentation.features))


def cluster_learner(ctx: JobContext, segmentation: Segmentation, figures: DataFrame) -> Learn:
    """Finds clusters; a group that the champion knew keeps its label, also where that one had other settings."""

    def learn(_: StoredModel | None) -> Lesson:
        return _learn(ctx, segmentation, figures, ctx.models.champion(model_name(segmentation)))

    return learn


def _learn(ctx: JobContext, segmentation: Segmentation, figures: DataFrame, champion: StoredModel | None) -> Lesson:
    table = gold.customer(ctx.pack)
    version, count = ctx.input_version(table), figures.count()
    frame = drawn_by_id(figures, count, MOST_TRAINED_ON).toPandas()
    previous = None if champion is None else ClusterModel.from_dict(champion.body["model"])
    settings = ClusterSettings(segmentation.clusters.least, segmentation.clusters.most, segmentation.least_share)
    model = ClusterModel.fit(frame, segmentation.features, settings=settings, previous=previous)
    training = Training(
        body={
            SETTINGS_HASH: cluster_fit(ctx.pack, segmentation).settings_hash,
            CUSTOMER_COUNT: count,
            FEATURES: list(segmentation.features),
            AS_OF: ctx.as_of.isoformat(),
            "model": model.to_dict(),
        },
        scorer=model.score,
        example=_example(model),
        parameters={
            "features": ",".join(segmentation.features),
            "form": model.form,
            "reason": model.reason[:500],
            "clusters": len(model.labels),
        },
        metrics={"customer_count": float(count), **_silhouette(model)},
        inputs={} if version is None else {table.name: version},
        documents={"cards.json": [profile.to_dict() for profile in model.profiles]},
        charts=_charts(model),
    )
    return Lesson(training, None, f"{len(model.labels)} clusters, {model.reason}")


def _silhouette(model: ClusterModel) -> dict[str, float]:
    return {"silhouette": max(model.silhouettes.values())} if model.silhouettes else {}


def _example(model: ClusterModel) -> pd.DataFrame:
    """The clusters' medians as rows: nobody's data."""
    rows = [{"golden_id": profile.cluster, **profile.medians} for profile in model.profiles]
    frame = pd.DataFrame(rows, columns=["golden_id", *model.scaling.features])
    return frame.astype(dict.fromkeys(model.scaling.features, "float64"))


def _charts(model: ClusterModel) -> dict[str, Chart]:
    shares = {profile.name: [profile.share] for profile in model.profiles}
    charts: dict[str, Chart] = {
        "sizes.png": Bars("Clusters", "share of customers", {"clusters": shares}, ("share",)),
    }
    if len(model.silhouettes) > 1:
        tried = sorted(model.silhouettes)
        curve = ([float(k) for k in tried], [model.silhouettes[k] for k in tried])
        charts["silhouette.png"] = Curves("How well k clusters part", "k", "mean silhouette", {"k-means": curve})
    return charts
