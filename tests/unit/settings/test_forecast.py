"""Which settings of a forecast ask for another training."""

import pytest

from cdp_lib.settings.forecast import Bands, Churn, LifetimeValue, Sanity

WATCHFUL = Sanity(most_drift=0.9, most_times_naive=5, least_customers=50, silent_days=30)


def test_what_only_says_what_is_published_or_in_which_band_asks_for_no_training() -> None:
    assert Churn().training_hash() == Churn(sanity=WATCHFUL, bands=Bands(high=0.9, medium=0.5)).training_hash()
    assert LifetimeValue().training_hash() == LifetimeValue(sanity=WATCHFUL).training_hash()


@pytest.mark.parametrize(
    "changed",
    [
        Churn(horizon_days=60),
        Churn(most_cuts=3),
        Churn(most_trained_on=1_000),
        Churn(sanity=Sanity(least_history_days=60)),
    ],
)
def test_what_shapes_the_model_asks_for_one(changed: Churn) -> None:
    assert changed.training_hash() != Churn().training_hash()


def test_a_forecast_of_spend_is_also_shaped_by_its_discount() -> None:
    assert LifetimeValue(yearly_discount=0.2).training_hash() != LifetimeValue().training_hash()
