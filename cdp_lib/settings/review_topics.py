"""Kind `review_topics`: what reviews may be about, told by examples in the customers' own languages."""

from typing import Literal

from pydantic import Field, model_validator

from cdp_lib.settings.kind import Frozen, Name


class Topic(Frozen):
    """One thing that reviews talk about, and sentences that do."""

    id: Name
    title: str = Field(min_length=1, description="What the team reads")
    praise: tuple[str, ...] = Field(min_length=3, description="Sentences of happy customers")
    complaint: tuple[str, ...] = Field(min_length=3, description="Sentences of unhappy customers")


class ReviewTopics(Frozen):
    """The topics that the team can act upon; a small text model learns them from the examples."""

    kind: Literal["review_topics"]
    topics: tuple[Topic, ...] = Field(min_length=2)
    window_days: int = Field(default=90, ge=7, description="Days that areas to improve are ranked over ...")
    least_probability: float = Field(default=0.5, gt=0, lt=1, description="Below it a sentence is about no topic")

    @model_validator(mode="after")
    def _ids_differ(self) -> "ReviewTopics":
        ids = [topic.id for topic in self.topics]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(f"topics {', '.join(twice)} stand twice")
        return self
