"""Kinds `lifetime_value` and `churn`: how far ahead the models look, and how their answers are told."""

from typing import Literal, Self

from pydantic import Field, model_validator

from cdp_lib.settings.kind import Frozen


class Sanity(Frozen):
    """When a forecast is not published: yesterday's scores stay, and the reason is told."""

    most_times_naive: float = Field(
        default=2.0, gt=1, description="Forecast over what customers alike did in the last period, in all, at most"
    )
    most_drift: float = Field(
        default=0.5, gt=0, description="Population stability index of the scores against those of the training, at most"
    )
    least_customers: int = Field(
        default=500, ge=1, description="Below so many customers neither total nor drift is judged"
    )
    silent_days: int = Field(
        default=7, ge=1, description="Days without a purchase that are no doubt; more are, if twice the longest before"
    )
    least_history_days: int = Field(default=28, ge=1, description="Days from the first purchase to the as-of date")

    def training_hash(self) -> str:
        """Hash of what a training asks; the rest only says what may be published."""
        return self.content_hash(
            without=frozenset({"most_times_naive", "most_drift", "least_customers", "silent_days"})
        )


class LifetimeValue(Frozen):
    """What `gold.cltv` is made by."""

    kind: Literal["lifetime_value"] = "lifetime_value"
    horizon_days: int = Field(default=180, ge=7, le=1825, description="How many days ahead the value is counted")
    yearly_discount: float = Field(default=0.1, ge=0, lt=1, description="What money of a year ahead is worth less")
    interval: float = Field(default=0.8, gt=0, lt=1, description="Share of customers whose value lies in low to high")
    most_trained_on: int = Field(
        default=200_000, ge=1000, description="Customers that boosted trees are trained on at most, chosen by hash"
    )
    sanity: Sanity = Sanity()

    def training_hash(self) -> str:
        """Hash of what shapes a model: under another one, another is trained."""
        return f"{self.content_hash(without=frozenset({'sanity'}))}-{self.sanity.training_hash()}"


class Bands(Frozen):
    """From which probability on a customer is in the band; below medium is low."""

    high: float = Field(default=0.7, gt=0, lt=1)
    medium: float = Field(default=0.4, gt=0, lt=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.medium >= self.high:
            raise ValueError(f"medium {self.medium} is not below high {self.high}: swap them")
        return self


class Churn(Frozen):
    """What `gold.churn_score` is made by."""

    kind: Literal["churn"] = "churn"
    horizon_days: int = Field(default=90, ge=7, le=1825, description="Who buys nothing for so many days has churned")
    bands: Bands = Bands()
    most_cuts: int = Field(
        default=10, ge=1, le=50, description="Days, a horizon ago or more, that the model is trained as of, at most"
    )
    most_trained_on: int = Field(
        default=200_000, ge=1000, description="Customers that the model is trained on at most, chosen by hash"
    )
    sanity: Sanity = Sanity()

    def training_hash(self) -> str:
        """Hash of what shapes a model: under another one, another is trained. Bands are drawn when it scores."""
        return f"{self.content_hash(without=frozenset({'sanity', 'bands'}))}-{self.sanity.training_hash()}"
