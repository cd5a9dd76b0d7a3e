"""Kind `review_topics`: what reviews may be about, told by examples in the customers' own languages."""

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, field_validator, model_validator

from cdp_lib.settings.kind import Frozen, Name

OTHER = "other"
"""The topic of what is about none of the pack's."""


class Topic(Frozen):
    """One thing that reviews talk about, and sentences that do."""

    id: Name
    title: str = Field(min_length=1, description="What the team reads")
    words: tuple[str, ...] = Field(default=(), description="Words that name it, be it praised or not")
    praise: tuple[str, ...] = Field(min_length=3, description="Sentences of happy customers")
    complaint: tuple[str, ...] = Field(min_length=3, description="Sentences of unhappy customers")


class General(Frozen):
    """Sentences about none of the topics; they teach what to leave alone, and how praise and complaints sound."""

    praise: tuple[str, ...] = Field(min_length=3, description="Sentences of happy customers")
    complaint: tuple[str, ...] = Field(min_length=3, description="Sentences of unhappy customers")


class ReviewTopics(Frozen):
    """The topics that the team can act upon; a small text model learns them from the examples."""

    kind: Literal["review_topics"]
    topics: tuple[Topic, ...] = Field(min_length=2)
    general: General | None = Field(default=None, description="Sentences about none of the topics")
    turns: tuple[str, ...] = Field(
        default=(),
        description="Regular expressions of words at which a sentence turns to something else, e.g. \\bbut\\b",
    )
    window_days: int = Field(default=90, ge=7, description="Days that areas to improve are ranked over ...")
    least_probability: float = Field(default=0.4, gt=0, lt=1, description="Below it a sentence is about no topic")

    @field_validator("turns")
    @classmethod
    def _turns_compile(cls, turns: tuple[str, ...]) -> tuple[str, ...]:
        for turn in turns:
            try:
                found = re.compile(turn)
            except re.error as problem:
                raise ValueError(f"'{turn}' is no regular expression: {problem}") from None
            if found.search("") is not None:
                raise ValueError(f"'{turn}' matches nothing at all: a sentence would turn at every letter")
        return turns

    @model_validator(mode="after")
    def _nothing_stands_twice(self) -> "ReviewTopics":
        ids = [topic.id for topic in self.topics]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(f"topics {', '.join(twice)} stand twice")
        if OTHER in ids:
            raise ValueError(f"topic '{OTHER}' is what none of the topics fits: put its sentences under general")
        sentences = [" ".join(sentence.casefold().split()) for _, _, sentence in self.examples()]
        if "" in sentences:
            raise ValueError("an example is empty: remove it")
        repeated = next((one for one in sentences if sentences.count(one) > 1), None)
        if repeated is not None:
            raise ValueError(f"the example '{repeated}' stands twice: a sentence teaches one topic and one side")
        return self

    def examples(self) -> Iterator[tuple[str, str, str]]:
        """(topic, praise or complaint, sentence) in order of the document; those of `general` last, as `other`."""
        for topic in self.topics:
            yield from ((topic.id, "praise", sentence) for sentence in topic.praise)
            yield from ((topic.id, "complaint", sentence) for sentence in topic.complaint)
        if self.general is not None:
            yield from ((OTHER, "praise", sentence) for sentence in self.general.praise)
            yield from ((OTHER, "complaint", sentence) for sentence in self.general.complaint)
