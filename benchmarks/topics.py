"""What reviews are about, told by the coffee shop's text model of reviews that it has never seen.

    python -m benchmarks.topics [--data DIR] [--json]

The practice files' sentences are here. DIR may hold `mams_acsa_test.xml` (data/MAMS-ACSA/raw/test.xml of
siat-nlp/MAMS-for-ABSA) and `pos.txt`, `neg.txt` (PyThaiNLP/wisesight-sentiment); what is not there is left out. The
model learns from neither. The length of parts that long phrases are read in was chosen on MAMS's val.xml after one look
at the test file; nothing else was.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.measure import load, measured, Result, tell
from benchmarks.topics_data import GROUPS, Labelled, restaurants, SIMULATED, thai_posts
from cdp_lib.io.yaml_files import load_pack
from cdp_lib.models.topics.phrases import normal
from cdp_lib.models.topics.topic_model import TopicModel
from cdp_lib.models.topics.training import train_topics
from cdp_lib.settings.review_topics import OTHER, ReviewTopics
from cdp_lib.transforms.review.topics import RATING_WEIGHT

PACKS = Path(__file__).resolve().parents[1] / "conf" / "packs"
Topics = Mapping[str, str]
"""Topic: tone."""


def by_model(model: TopicModel, reviews: Sequence[Labelled]) -> list[Topics]:
    """Each review's topics with their tone, the likeliest first; stars weigh as in the daily run."""
    said = model.said([review.text for review in reviews])
    return [
        {one.topic: _tone(one.complaint_log_odds + RATING_WEIGHT * (3 - (review.rating or 3))) for one in row}
        for row, review in zip(said, reviews, strict=True)
    ]


def by_keyword(settings: ReviewTopics, reviews: Sequence[Labelled]) -> list[Topics]:
    """The topics whose words stand in the review, in the pack's order; praise unless there are few stars."""
    found = []
    for review in reviews:
        text = f" {normal(review.text)} "
        named = [topic.id for topic in settings.topics if any(_stands_in(normal(word), text) for word in topic.words)]
        found.append(dict.fromkeys(named or [OTHER], _tone(3 - (review.rating or 3))))
    return found


def _stands_in(word: str, text: str) -> bool:
    return (f" {word} " if word.isascii() else word) in text


def _tone(odds: float) -> str:
    return "complaint" if odds > 0 else "praise"


def figures(reviews: Sequence[Labelled], said: Sequence[Topics]) -> dict[str, float]:
    """How well topics are told: the likeliest of each review, and all (review, topic); and the tone of those told."""
    pairs = list(zip(reviews, said, strict=True))
    both = sum(topic in review.topics for review, row in pairs for topic in row)
    told, true = sum(len(row) for row in said), sum(len(review.topics) for review in reviews)
    tones = [
        row[topic] == tone for review, row in pairs for topic, tone in review.topics.items() if tone and topic in row
    ]
    return {
        "likeliest_topic_right": sum(next(iter(row)) in review.topics for review, row in pairs) / len(reviews),
        "precision": both / max(told, 1),
        "recall": both / max(true, 1),
        "f1": 2 * both / max(told + true, 1),
        "tone_right": sum(tones) / max(len(tones), 1),
    }


def grouped(said: Sequence[Topics]) -> list[Topics]:
    """The topics as restaurants' reviews are labelled; of a group's topics the likeliest tells the tone."""
    found: list[Topics] = []
    for row in said:
        groups: dict[str, str] = {}
        for topic, tone in row.items():
            groups.setdefault(GROUPS.get(topic, topic), tone)
        found.append(groups)
    return found


def compared(
    name: str, reviews: Sequence[Labelled], told: Callable[[Sequence[Labelled]], tuple[list[Topics], list[Topics]]]
) -> Iterator[Result]:
    """Ours beside keywords, and the share that the most frequent topic would get right."""
    own, peer = told(reviews)
    ours, theirs = figures(reviews, own), figures(reviews, peer)
    for metric, figure in ours.items():
        yield Result("topics", name, metric, figure, theirs[metric], "keywords", "share", load())
    topics = [topic for review in reviews for topic in review.topics]
    most = max(sorted(set(topics)), key=topics.count)
    share = sum(most in review.topics for review in reviews) / len(reviews)
    yield Result("topics", name, "likeliest_topic_right", ours["likeliest_topic_right"], share, most, "share", load())


def thai_tone(model: TopicModel, posts: Sequence[Labelled]) -> Iterator[Result]:
    """Mean of the shares of praise and of complaints whose tone is right; a guess has a half."""
    right: dict[str, list[bool]] = {"praise": [], "complaint": []}
    for post, row in zip(posts, by_model(model, posts), strict=True):
        right[post.topics[""]].append(next(iter(row.values())) == post.topics[""])
    mean = sum(sum(known) / len(known) for known in right.values()) / len(right)
    yield Result("topics", "thai posts", "balanced_tone_right", mean, 0.5, "guess", "share", load())


def main(arguments: list[str] | None = None) -> int:
    """Train, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, help="folder with real reviews")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    options = parser.parse_args(arguments)
    settings = load_pack("coffee_shop", PACKS).review_topics
    if settings is None:
        raise SystemExit("the coffee shop has no review_topics")
    with measured() as cost:
        training, _ = train_topics(settings, {})
    model = TopicModel.from_dict(training.body["model"])
    results = [Result("topics", "coffee_shop", "training", cost.cpu_seconds, None, None, "CPU s", load())]
    for metric in ("topic_accuracy", "tone_accuracy"):
        figure = training.metrics[metric]
        results.append(Result("topics", "examples, cross-validated", metric, figure, None, None, "share", load()))
    results += compared(
        "practice reviews", SIMULATED, lambda given: (by_model(model, given), by_keyword(settings, given))
    )
    if options.data is not None and (options.data / "mams_acsa_test.xml").is_file():
        results += compared(
            "restaurants",
            list(restaurants(options.data)),
            lambda given: (grouped(by_model(model, given)), grouped(by_keyword(settings, given))),
        )
    if options.data is not None and (options.data / "pos.txt").is_file():
        results += thai_tone(model, list(thai_posts(options.data)))
    tell(results, as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
