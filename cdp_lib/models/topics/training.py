"""A training of the text model: fitted on all examples, judged on each by models that have not seen it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold  # type: ignore[import-untyped]  # scikit-learn ships no types

from cdp_lib.models.charts import Bars
from cdp_lib.models.topics.phrases import normal
from cdp_lib.models.topics.tone import COMPLAINT, PRAISE
from cdp_lib.models.topics.topic_model import Example, Said, TopicModel
from cdp_lib.models.training import Training
from cdp_lib.settings.review_topics import OTHER, ReviewTopics

_FOLDS, _SEED = 5, 20250101


@dataclass(frozen=True)
class Judged:
    """What was said of texts beside what is true; `said` is the most probable topic of each."""

    true: tuple[str, ...]
    said: tuple[str, ...]
    tone_accuracy: float

    @property
    def accuracy(self) -> float:
        """Share of texts whose topic is right; `other` is a topic here."""
        return float(np.mean([one == other for one, other in zip(self.true, self.said, strict=True)]))

    @property
    def told_share(self) -> float:
        """Share of texts that some topic was told of."""
        return float(np.mean([topic != OTHER for topic in self.said]))

    def precision(self, topic: str) -> float:
        """Of the texts said to be about it, the share that is; 0 where none is said to be."""
        return self._both(topic) / max(self.said.count(topic), 1)

    def recall(self, topic: str) -> float:
        """Of the texts about it, the share that is said to be."""
        return self._both(topic) / max(self.true.count(topic), 1)

    def confusion(self) -> dict[str, dict[str, Sequence[float]]]:
        """True topic: what its texts were said to be about: how many."""
        pairs = list(zip(self.true, self.said, strict=True))
        return {
            topic: {
                said: [float(pairs.count((topic, said)))] for said in sorted(set(self.said)) if (topic, said) in pairs
            }
            for topic in sorted(set(self.true))
        }

    def _both(self, topic: str) -> int:
        return sum(one == other == topic for one, other in zip(self.true, self.said, strict=True))


def knowledge_hash(settings: ReviewTopics) -> str:
    """Lower hex SHA-256 of all that the model learns from: another hash asks for another training."""
    body = json.dumps([settings.content_hash(), PRAISE, COMPLAINT])
    return hashlib.sha256(body.encode()).hexdigest()


def judge(said: Sequence[Sequence[Said]], true: Sequence[Example]) -> Judged:
    """Holds what a model said of texts against their labels; the tone is that of the most probable topic."""
    tones = [
        (row[0].complaint_log_odds > 0) == (tone == "complaint") for row, (_, tone, _) in zip(said, true, strict=True)
    ]
    return Judged(tuple(topic for topic, _, _ in true), tuple(row[0].topic for row in said), float(np.mean(tones)))


def cross_validated(settings: ReviewTopics) -> Judged:
    """Every example as told by a model that learnt from the other folds; examples that read alike share a fold."""
    examples = list(settings.examples())
    labels = [f"{topic} {tone}" for topic, tone, _ in examples]
    folds = StratifiedGroupKFold(
        min(_FOLDS, min(labels.count(one) for one in labels)), shuffle=True, random_state=_SEED
    )
    said: list[list[Said]] = [[] for _ in examples]
    groups = [normal(sentence) for _, _, sentence in examples]
    for known, held_out in folds.split(labels, labels, groups):
        model = TopicModel.fit(settings, [examples[place] for place in known])
        for place, row in zip(held_out, model.said([examples[one][2] for one in held_out]), strict=True):
            said[place] = row
    return judge(said, examples)


def train_topics(settings: ReviewTopics, extra: dict[str, object]) -> tuple[Training, str]:
    """What the registry keeps, and the training in words. `extra` goes into the body beside the model."""
    examples = list(settings.examples())
    model, judged = TopicModel.fit(settings, examples), cross_validated(settings)
    topics = sorted(set(judged.true))
    quality = {topic: [judged.precision(topic), judged.recall(topic)] for topic in topics}
    training = Training(
        body={**extra, "model": model.to_dict()},
        scorer=model.score,
        example=pd.DataFrame({"review_text": [topic.praise[0] for topic in settings.topics]}),
        parameters={
            "examples": len(examples),
            "topics": ",".join(topics),
            "terms": sum(len(block) for block in model.terms),
            "least_probability": settings.least_probability,
        },
        metrics={
            "topic_accuracy": judged.accuracy,
            "tone_accuracy": judged.tone_accuracy,
            "told_share": judged.told_share,
            **{f"precision_{topic}": figures[0] for topic, figures in quality.items()},
            **{f"recall_{topic}": figures[1] for topic, figures in quality.items()},
        },
        charts={
            "topics.png": Bars("Examples not seen", "share", {"topics": quality}, ("precision", "recall")),
            "confusion.png": Bars("What examples were taken for", "examples", judged.confusion(), ("examples",)),
        },
    )
    told = f"topic right {judged.accuracy:.0%}, tone {judged.tone_accuracy:.0%}"
    return training, f"{len(examples)} examples; of those not seen, {told}"
