"""Whether a version that somebody wants as champion can score for the pack as it is set up today."""

from cdp_lib.models.topics.training import knowledge_hash
from cdp_lib.models.training import StoredModel
from cdp_lib.settings.pack import Pack
from jobs.forecasts.champions import Fit
from jobs.forecasts.churn import CHURN
from jobs.forecasts.clusters import cluster_fit, model_name
from jobs.forecasts.lifetime import CLTV
from jobs.gold_review import TOPICS
from jobs.matching.matchers import MATCH


def why_not(pack: Pack, model: str, version: StoredModel) -> str:
    """Why the next run would train another in its place; empty where it would score with it."""
    fit = _fit(pack, model)
    return "" if fit is None else fit.unusable(version)


def _fit(pack: Pack, model: str) -> Fit | None:
    """What the pack asks of the model today; None where it has no job for it."""
    if model == MATCH:
        return None if pack.identity.matching is None else Fit(pack.identity.matching.model_hash, 0)
    if model == TOPICS:
        return None if pack.review_topics is None else Fit(knowledge_hash(pack.review_topics), 0)
    forecasts = {CHURN: pack.churn, CLTV: pack.lifetime_value}
    if model in forecasts:
        settings = forecasts[model]
        return None if settings is None else Fit(settings.training_hash(), 0, settings.horizon_days)
    clusters = {model_name(one): one for one in pack.segmentations}
    return cluster_fit(pack, clusters[model]) if model in clusters else None
