"""Kind `segmentation`: customers divided by cells of recency, frequency and spend, or by clusters of traits."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from cdp_lib.settings.kind import Frozen, Name

NO_PURCHASE = "no_purchase"

RFM_SEGMENTS: Mapping[str, str] = {
    "champions": "Champions",
    "loyal": "Loyal customers",
    "potential_loyal": "Potential loyalists",
    "new": "New customers",
    "promising": "Promising",
    "need_attention": "Need attention",
    "about_to_sleep": "About to sleep",
    "at_risk": "At risk",
    "cannot_lose": "Cannot lose them",
    "hibernating": "Hibernating",
    NO_PURCHASE: "No purchase yet",
}
"""Label of a segment that method rfm gives: what people call it."""


class ClusterCount(Frozen):
    """How many clusters may be found: the number with the best mean silhouette."""

    least: int = Field(default=2, ge=2, le=30)
    most: int = Field(default=8, ge=2, le=30)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least {self.least} is above most {self.most}: swap them")
        return self


class Segmentation(Frozen):
    """Each customer is in one segment of each segmentation."""

    kind: Literal["segmentation"]
    id: Name
    method: Literal["rfm", "clusters"] = Field(
        description="rfm: cells with fixed names; clusters: groups that are found"
    )
    features: tuple[Name, ...] = Field(default=(), description="Of clusters: numeric columns of gold.customer")
    clusters: ClusterCount = ClusterCount()
    least_share: float = Field(default=0.02, ge=0, lt=0.5, description="A cluster has at least this share of customers")
    description: str = ""

    @model_validator(mode="after")
    def _features_fit(self) -> Self:
        if self.method == "clusters" and not self.features:
            raise ValueError("method clusters needs features: numeric columns of gold.customer, e.g. [order_count]")
        if self.method == "rfm" and self.features:
            raise ValueError("method rfm has its own features: remove features, or write method: clusters")
        if len(set(self.features)) < len(self.features):
            raise ValueError("features names a column twice: remove one")
        return self
