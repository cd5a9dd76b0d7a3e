"""The text model of reviews: how a review is parted, what its phrases are about, and what is kept of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cdp_lib.io.yaml_files import load_pack
from cdp_lib.models.topics.phrases import normal, phrases, pieces, words
from cdp_lib.models.topics.topic_model import Said, TopicModel
from cdp_lib.models.topics.training import judge, Judged, knowledge_hash, train_topics
from cdp_lib.settings.review_topics import ReviewTopics
from tests.unit.models.held_out_reviews import HELD_OUT

PACKS = Path(__file__).resolve().parents[3] / "conf" / "packs"
SMALL = ReviewTopics.model_validate(
    {
        "kind": "review_topics",
        "turns": [r"\bbut\b"],
        "topics": [
            {
                "id": "bike",
                "title": "Bikes",
                "words": ["bike", "gears", "saddle"],
                "praise": ["The bike rides well", "Smooth gears", "A light bike"],
                "complaint": ["The bike squeaks", "The gears slip", "Hard saddle"],
            },
            {
                "id": "desk",
                "title": "The desk",
                "words": ["desk", "clerk", "form"],
                "praise": ["The clerk was kind", "A short form", "Nice people at the desk"],
                "complaint": ["The clerk was grumpy", "The desk was shut", "A form of ten pages"],
            },
        ],
    }
)


@pytest.fixture(scope="module")
def cafe() -> TopicModel:
    settings = load_pack("coffee_shop", PACKS).review_topics
    assert settings is not None
    return TopicModel.fit(settings, list(settings.examples()))


@pytest.fixture(scope="module")
def small() -> TopicModel:
    return TopicModel.fit(SMALL, list(SMALL.examples()))


def test_reviews_that_the_model_has_not_seen_are_understood(cafe: TopicModel) -> None:
    judged = judge(cafe.said([sentence for _, _, sentence in HELD_OUT]), HELD_OUT)
    assert judged.accuracy >= 0.85
    assert judged.tone_accuracy >= 0.8


def test_no_held_out_sentence_is_an_example() -> None:
    settings = load_pack("coffee_shop", PACKS).review_topics
    assert settings is not None
    assert not {normal(one) for *_, one in settings.examples()} & {normal(one) for *_, one in HELD_OUT}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Good bike but slow desk. Thanks!", ["good bike", "slow desk", "thanks"]),
        ("กาแฟหอมมาก พนักงานน่ารัก", ["กาแฟหอมมาก", "พนักงานน่ารัก"]),
        ("ชอบ latte มาก", ["ชอบ latte มาก"]),
        ("It took 1.5 hours, 20 minutes too long", ["it took 0 0 hours", "0 minutes too long"]),
        ("Sooooo good 😍", ["so good 😍"]),
        ("Great. 👍", ["great 👍"]),
        ("👍", ["👍"]),
        ("butter", ["butter"]),
        ("a b c d e f g h", ["a b c d e f g h"]),
        ("a b c d e f g h i j k l m", ["a b c d e f g h", "e f g h i j k l", "i j k l m"]),
        ("", []),
        (" \n ... ", []),
    ],
)
def test_a_review_is_parted_where_it_turns(text: str, parts: list[str]) -> None:
    assert phrases(text, [r"\bbut\b"]) == parts


def test_a_phrase_is_seen_as_words_and_pieces_of_them() -> None:
    assert words("no seats") == ["no", "seats", "no seats"]
    assert pieces("no") == [" n", "no", "o ", " no", "no ", " no "]


def test_both_topics_of_a_mixed_review_are_told_each_with_its_tone(small: TopicModel) -> None:
    (said,) = small.said(["A light bike but the clerk was grumpy"])
    assert {one.topic: one.complaint_log_odds > 0 for one in said} == {"bike": False, "desk": True}


def test_what_fits_no_topic_is_other(small: TopicModel) -> None:
    assert small.said(["", "zzz", "美味"]) == [[Said("other", 1.0, 0.0)]] * 3
    (unsure,) = replace(small, least_probability=0.99).said(["form of bike"])
    assert [one.topic for one in unsure] == ["other"]
    assert 0.01 < unsure[0].probability <= 0.5


def test_two_phrases_of_one_topic_are_told_once(small: TopicModel) -> None:
    (said,) = small.said(["The bike squeaks. Smooth gears."])
    (left, right) = (small.said([text])[0][0] for text in ("The bike squeaks", "Smooth gears"))
    assert [one.topic for one in said] == ["bike"]
    assert said[0].probability == pytest.approx(max(left.probability, right.probability))
    assert said[0].complaint_log_odds == pytest.approx((left.complaint_log_odds + right.complaint_log_odds) / 2)


def test_a_text_is_told_the_same_wherever_it_stands(small: TopicModel) -> None:
    texts = ["The gears slip", "", "Kind clerk 😍", "รอนานมาก", "The gears slip"]
    alone = pd.concat([small.score(pd.DataFrame({"review_text": [text]})) for text in texts], ignore_index=True)
    together = small.score(pd.DataFrame({"review_text": texts}))
    for name in ("review_text", "topics"):
        assert alone[name].tolist() == together[name].tolist()
    for name in ("probabilities", "complaint_log_odds"):
        assert np.concatenate(alone[name]) == pytest.approx(np.concatenate(together[name]))


def test_a_training_again_gives_the_same_model_and_survives_json(small: TopicModel) -> None:
    training, told = train_topics(SMALL, {"settings_hash": "h"})
    body = json.loads(json.dumps(training.body))
    assert body["settings_hash"] == "h"
    assert TopicModel.from_dict(body["model"]).to_dict() == small.to_dict()
    scored = training.scorer(training.example)
    assert [row[0] for row in scored["topics"]] == ["bike", "desk"]
    assert told.startswith("12 examples; of those not seen, topic right ")
    assert {"topic_accuracy", "tone_accuracy", "precision_bike", "recall_desk"} <= set(training.metrics)


def test_figures_of_a_judgement() -> None:
    true = ("bike", "bike", "desk", "other")
    judged = Judged(true, ("bike", "desk", "desk", "other"), 1.0)
    assert (judged.accuracy, judged.told_share) == (0.75, 0.75)
    assert (judged.precision("desk"), judged.recall("desk")) == (0.5, 1.0)
    assert (judged.precision("till"), judged.recall("till")) == (0.0, 0.0)
    assert judged.confusion()["bike"] == {"bike": [1.0], "desk": [1.0]}


def test_another_example_asks_for_another_training() -> None:
    (first, *others) = SMALL.topics
    changed = first.model_copy(update={"praise": (*first.praise, "Fine brakes")})
    assert knowledge_hash(SMALL.model_copy(update={"topics": (changed, *others)})) != knowledge_hash(SMALL)
    assert knowledge_hash(SMALL.model_copy()) == knowledge_hash(SMALL)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"turns": ["("]}, "'\\(' is no regular expression"),
        ({"turns": ["x*"]}, "'x\\*' matches nothing at all"),
        ({"id": "desk"}, "topics desk stand twice"),
        ({"id": "other"}, "topic 'other' is what none of the topics fits"),
        ({"praise": ["the  CLERK was kind", "b", "c"]}, "the example 'the clerk was kind' stands twice"),
        ({"praise": [" ", "b", "c"]}, "an example is empty"),
    ],
)
def test_faulty_topics_are_refused(change: dict[str, object], fault: str) -> None:
    body = SMALL.model_dump()
    place = body if "turns" in change else body["topics"][0]
    place.update(change)
    with pytest.raises(ValueError, match=fault):
        ReviewTopics.model_validate(body)
