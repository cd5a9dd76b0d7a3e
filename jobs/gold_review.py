"""Tell what each review is about, and what to improve first by what customers complain of."""

from pyspark.sql import functions as F

from cdp_lib.contracts import identity, results, silver
from cdp_lib.io.caching import cached
from cdp_lib.models.scoring import score_rows
from cdp_lib.models.topics.topic_model import SCHEMA, TopicModel
from cdp_lib.models.topics.training import knowledge_hash, train_topics
from cdp_lib.settings.review_topics import ReviewTopics
from cdp_lib.transforms.review.improvement import improvement_areas
from cdp_lib.transforms.review.topics import review_texts, review_topics
from cdp_lib.workflow.context import JobContext
from cdp_lib.workflow.job import job
from jobs.forecasts.champions import CUSTOMER_COUNT, Fit, in_force, Lesson, SETTINGS_HASH
from jobs.moves import moves_of
from jobs.page import run_page

TOPICS = "topics"
"""What the registry calls the text model, after the pack's name."""


@job(
    reads=(silver.REVIEW, identity.IDENTITY_LINK),
    writes=(results.review_topics,),
    shaped_by=("pack", "review_topics"),
    watches=moves_of(TOPICS),
)
def run(ctx: JobContext) -> None:
    """Both tables by the text model in force, which learns from the pack's examples alone."""
    settings = ctx.pack.review_topics
    if settings is None:
        return
    stored = in_force(ctx, TOPICS, Fit(knowledge_hash(settings), 0), lambda _: _learn(settings))
    model = TopicModel.from_dict(stored.body["model"])
    reviews, zone = ctx.read(silver.REVIEW), ctx.pack.info.time_zone
    # A text model is Python; each text is read once, on the executors, and no text comes to the driver.
    said = score_rows(review_texts(reviews), model.score, SCHEMA)
    titles = {topic.id: topic.title for topic in settings.topics}
    told = review_topics(reviews, ctx.read(identity.IDENTITY_LINK), said, tuple(titles), (ctx.as_of, zone))
    with cached(told.select("*", F.lit(stored.label).alias("model_version"))) as topics:
        ctx.write(results.REVIEW_TOPIC, topics, kept=True)
        areas = improvement_areas(topics, titles, settings.window_days, as_of=ctx.as_of, time_zone=zone)
        ctx.write(results.IMPROVEMENT_AREA, areas)


def _learn(settings: ReviewTopics) -> Lesson:
    training, told = train_topics(settings, {SETTINGS_HASH: knowledge_hash(settings), CUSTOMER_COUNT: 0})
    return Lesson(training, None, told)


if __name__ == "__main__":
    run_page(__file__)
