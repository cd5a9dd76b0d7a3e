"""Kind `recommendation`: how much a purchase still says, which products count as alike, and who gets how many of what.

Every number has a default; a pack without this kind has none of it.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from cdp_lib.settings.kind import Frozen

RecommendationKind = Literal["replenish", "discover", "cross_sell", "upsell"]
KINDS: tuple[RecommendationKind, ...] = ("replenish", "discover", "cross_sell", "upsell")
"""In the order in which they take turns."""


class Slots(Frozen):
    """Places that each kind has of a customer's list; 0 leaves the kind out."""

    replenish: int = Field(default=4, ge=0, description="Bought before and due again")
    discover: int = Field(
        default=3,
        ge=0,
        description="New to the customer; popular products too, and at 0 these come if nothing else does",
    )
    cross_sell: int = Field(default=2, ge=0, description="New, in a category the customer has not bought")
    upsell: int = Field(default=1, ge=0, description="New, a dearer product beside one that is often bought")

    @model_validator(mode="after")
    def _some_place(self) -> Self:
        if not any(getattr(self, kind) for kind in KINDS):
            raise ValueError(f"no kind has a place: give one of {', '.join(KINDS)} at least 1")
        return self


class Upsell(Frozen):
    """What counts as a dearer product beside one that is often bought."""

    least_ratio: float = Field(default=1.1, gt=1.0, description="Price over that of the bought product, at least")
    most_ratio: float = Field(default=2.0, gt=1.0, description="Price over that of the bought product, at most")
    least_purchases: int = Field(default=2, ge=1, description="Orders that make a product one that is often bought")

    @model_validator(mode="after")
    def _ratios_in_order(self) -> Self:
        if self.least_ratio > self.most_ratio:
            raise ValueError(f"least_ratio {self.least_ratio} is above most_ratio {self.most_ratio}: swap them")
        return self


class Recommendation(Frozen):
    """What `gold.recommendation` is made by."""

    kind: Literal["recommendation"] = "recommendation"
    half_life_days: float = Field(default=60.0, gt=0, description="After so many days a purchase says half as much")
    per_customer: int = Field(default=10, ge=1, le=1000, description="Recommendations for a customer at most")
    slots: Slots = Slots()
    upsell: Upsell = Upsell()
    durable_rest_days: int = Field(
        default=365, ge=0, description="A durable product may come again so many days after it was bought"
    )
    neighbours: int = Field(default=100, ge=1, le=1000, description="Alike products that are kept for each product")
    min_buyers: int = Field(
        default=5, ge=1, description="A product with fewer buyers is like no other: too little is known"
    )
    modelled_products: int = Field(
        default=3000,
        ge=0,
        le=5000,
        description="Of so many products, the most bought, a model learns which say most for each other; 0: of none",
    )
    regularisation: float = Field(
        default=500.0, gt=0, description="Buyers that a model's weight must outdo: greater is more cautious"
    )
    products_per_customer: int = Field(
        default=400,
        ge=2,
        description="Of a customer's products only so many, the strongest, say which are alike: pairs grow squared",
    )
    popular_products: int = Field(
        default=500, ge=1, le=10_000, description="Length of the list of popular products that fills empty places"
    )
