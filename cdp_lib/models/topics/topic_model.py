"""A small text model: what each phrase of a review is about, and whether it praises or complains.

TF-IDF of words and pieces of words, and two regularised logistic regressions on it. A business has no labelled reviews,
so it learns from the pack's example sentences, the words that name a topic, and the plain words of praise and complaint
in `tone.py`; Thai and English are held by the same weights.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack  # type: ignore[import-untyped]  # scipy ships no types
from sklearn.feature_extraction.text import TfidfVectorizer  # type: ignore[import-untyped]  # nor does scikit-learn
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from cdp_lib.models.topics.phrases import normal, phrases, pieces, words
from cdp_lib.models.topics.tone import COMPLAINT, PRAISE
from cdp_lib.settings.review_topics import OTHER, ReviewTopics

Floats = NDArray[np.float64]
Example = tuple[str, str, str]
"""Topic, praise or complaint, sentence."""

SCHEMA = "review_text string, topics array<string>, probabilities array<double>, complaint_log_odds array<double>"
"""What `TopicModel.score` gives, as Spark SQL."""

# Inverse strengths of the penalties, by cross-validated log loss over the coffee shop's examples.
_TOPIC_C, _TONE_C = 100.0, 10.0
_BLOCKS: tuple[tuple[Callable[[str], list[str]], float], ...] = ((pieces, 1.0), (words, 0.5))
"""How a phrase is taken apart, and what weight that view of it has."""
_DIGITS = 5


class Said(NamedTuple):
    """One topic of a review: its probability, and the log-odds that what is said of it complains."""

    topic: str
    probability: float
    complaint_log_odds: float


@dataclass(frozen=True)
class TopicModel:
    """The fitted model; weights have a row per class (tone: one) and a column per term of all blocks."""

    terms: tuple[tuple[str, ...], ...]
    rarity: tuple[Floats, ...]
    classes: tuple[str, ...]
    topic_weights: Floats
    topic_intercepts: Floats
    tone_weights: Floats
    tone_intercept: float
    turns: tuple[str, ...]
    least_probability: float

    @classmethod
    def fit(cls, settings: ReviewTopics, examples: Sequence[Example]) -> "TopicModel":
        """Learns from these examples of the settings, and from all words that name a topic or set a tone."""
        named = [(topic.id, normal(word)) for topic in settings.topics for word in topic.words]
        toned = [(False, normal(word)) for word in PRAISE] + [(True, normal(word)) for word in COMPLAINT]
        sentences = [normal(sentence) for _, _, sentence in examples]
        about = [*sentences, *(word for _, word in named)]
        sounding = [*sentences, *(word for _, word in toned)]
        vectors = [
            TfidfVectorizer(analyzer=analyzer, sublinear_tf=True).fit([*about, *(word for _, word in toned)])
            for analyzer, _ in _BLOCKS
        ]
        terms = tuple(tuple(str(term) for term in one.get_feature_names_out()) for one in vectors)
        rarity = tuple(np.round(one.idf_, _DIGITS) for one in vectors)
        topic_of = [topic for topic, _, _ in examples] + [topic for topic, _ in named]
        complains = [tone == "complaint" for _, tone, _ in examples] + [bad for bad, _ in toned]
        topics = _fitted(_TOPIC_C, _weighed(about, terms, rarity), topic_of)
        tone = _fitted(_TONE_C, _weighed(sounding, terms, rarity), complains)
        coefficients, intercepts = topics.coef_, topics.intercept_
        if len(topics.classes_) == 2:  # scikit-learn keeps one row for two classes
            coefficients, intercepts = np.vstack([-coefficients, coefficients]) / 2, np.r_[-intercepts, intercepts] / 2
        return cls(
            terms,
            rarity,
            tuple(str(name) for name in topics.classes_),
            np.round(coefficients, _DIGITS),
            np.round(intercepts, _DIGITS),
            np.round(tone.coef_[0], _DIGITS),
            round(float(tone.intercept_[0]), _DIGITS),
            settings.turns,
            settings.least_probability,
        )

    def said(self, texts: Sequence[str]) -> list[list[Said]]:
        """What each text is about, the most probable topic first; `other` alone where no phrase tells a topic.

        Of a topic that several phrases are about, the greatest probability and the mean log-odds count. `other` has
        the probability that the likeliest topic is wrong; 1, with even odds of a complaint, where nothing known stands.
        """
        parted = [phrases(text, self.turns) for text in texts]
        chances, odds = self._weigh([phrase for parts in parted for phrase in parts])
        bounds = np.cumsum([0, *(len(parts) for parts in parted)])
        return [self._of(chances[a:b], odds[a:b]) for a, b in pairwise(bounds)]

    def score(self, reviews: pd.DataFrame) -> pd.DataFrame:
        """One row per row of `review_text`: the text, and its topics as `said` tells them, in three equal lists."""
        found = self.said([str(text) for text in reviews["review_text"]])
        return pd.DataFrame(
            {
                "review_text": reviews["review_text"].to_numpy(),
                "topics": [[one.topic for one in row] for row in found],
                "probabilities": [[one.probability for one in row] for row in found],
                "complaint_log_odds": [[one.complaint_log_odds for one in row] for row in found],
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """The body for JSON."""
        return {
            "terms": [list(block) for block in self.terms],
            "rarity": [block.tolist() for block in self.rarity],
            "classes": list(self.classes),
            "topic_weights": self.topic_weights.tolist(),
            "topic_intercepts": self.topic_intercepts.tolist(),
            "tone_weights": self.tone_weights.tolist(),
            "tone_intercept": self.tone_intercept,
            "turns": list(self.turns),
            "least_probability": self.least_probability,
        }

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "TopicModel":
        """The model that `to_dict` wrote."""
        return cls(
            tuple(tuple(block) for block in body["terms"]),
            tuple(np.array(block) for block in body["rarity"]),
            tuple(body["classes"]),
            np.array(body["topic_weights"]),
            np.array(body["topic_intercepts"]),
            np.array(body["tone_weights"]),
            float(body["tone_intercept"]),
            tuple(body["turns"]),
            float(body["least_probability"]),
        )

    def _weigh(self, parts: Sequence[str]) -> tuple[Floats, Floats]:
        """Of each phrase: the probability of each class, and the log-odds of complaint; 0 where no term is known."""
        if not parts:
            return np.zeros((0, len(self.classes))), np.zeros(0)
        seen = _weighed(parts, self.terms, self.rarity)
        raw = seen @ self.topic_weights.T + self.topic_intercepts
        grown = np.exp(raw - raw.max(axis=1, keepdims=True))
        is_known = seen.count_nonzero(axis=1) > 0
        chances = grown / grown.sum(axis=1, keepdims=True) * is_known[:, None]
        return chances, (seen @ self.tone_weights + self.tone_intercept) * is_known

    def _of(self, chances: Floats, odds: Floats) -> list[Said]:
        if not len(chances):
            return [Said(OTHER, 1.0, 0.0)]
        likeliest = chances.argmax(axis=1)
        found = []
        for place in sorted(set(likeliest)):
            about = (likeliest == place) & (chances[:, place] >= self.least_probability)
            if self.classes[place] != OTHER and about.any():
                found.append(Said(self.classes[place], float(chances[about, place].max()), float(odds[about].mean())))
        named = [place for place, name in enumerate(self.classes) if name != OTHER]
        nothing = Said(OTHER, float(1 - chances[:, named].max()), float(odds.mean()))
        return sorted(found, key=lambda one: (-one.probability, one.topic)) or [nothing]


def _weighed(parts: Sequence[str], terms: Sequence[Sequence[str]], rarity: Sequence[Floats]) -> csr_array:
    """A row per phrase and a column per term of all blocks."""
    seen = []
    for (analyzer, weight), block, rare in zip(_BLOCKS, terms, rarity, strict=True):
        vectors = TfidfVectorizer(analyzer=analyzer, sublinear_tf=True, vocabulary=block)
        vectors.idf_ = rare
        seen.append(weight * vectors.transform(parts))
    return csr_array(hstack(seen))


def _fitted(penalty: float, seen: csr_array, labels: Sequence[str | bool]) -> LogisticRegression:
    return LogisticRegression(C=penalty, max_iter=2000).fit(seen, np.array(labels))
