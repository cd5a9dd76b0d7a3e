"""Purchases x spend: discounting, what stands in for Gamma-Gamma, and futures that agree with what is expected."""

import json

import numpy as np
import pandas as pd
import pytest

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.closed_form import ClosedFormModel, pooled_amount, PURCHASE_MODELS
from tests.unit.models.lifetime.simulated_purchases import bought_days, features_at


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return features_at(bought_days(1_500, 300, 1), 300)


@pytest.fixture(scope="module", params=sorted(PURCHASE_MODELS))
def model(request, frame) -> ClosedFormModel:
    return ClosedFormModel.fit(frame, request.param)


def test_spend_is_purchases_times_amount(model, frame):
    said = model.forecast(frame, 90)

    np.testing.assert_allclose(said.spend, said.purchases * said.amount)
    assert said.spend.min() >= 0
    assert ((said.silent >= 0) & (said.silent <= 1)).all()


def test_drawn_futures_agree_with_what_is_expected(model, frame):
    rng = np.random.default_rng(1)
    drawn = np.mean([model.draw_spend(frame, 90, rng).mean() for _ in range(60)])

    assert drawn == pytest.approx(model.forecast(frame, 90).spend.mean(), rel=0.05)


def test_what_comes_late_is_worth_less(model, frame):
    year = model.discount(frame, 365, 0.2)

    assert ((year > 1 / 1.2) & (year < 1)).all()
    np.testing.assert_allclose(model.discount(frame, 365, 0.0), 1.0)
    # Even pace over a year is worth about what its middle is; customers who leave buy early, so a little more.
    assert year.mean() == pytest.approx(1.2**-0.45, rel=0.02)


def test_customers_without_spend_are_expected_to_spend_what_all_do(model, frame):
    unknown = frame.head(1).assign(monetary_amount=np.nan, total_amount=0.0, first_amount=0.0)

    said = model.forecast(unknown, 90)

    assert said.amount[0] == pytest.approx(model.spend.p * model.spend.v / (model.spend.q - 1))


def test_where_gamma_gamma_has_no_answer_the_pooled_mean_stands_in(frame):
    free = frame.assign(monetary_amount=np.nan, total_amount=0.0, first_amount=0.0)

    said = ClosedFormModel.fit(free, "bg_nbd")

    assert said.spend is None
    assert said.forecast(free, 90).spend.max() == 0.0
    assert said.draw_spend(free, 90, np.random.default_rng(1)).max() == 0.0


def refunded(frame: pd.DataFrame, every: int) -> pd.DataFrame:
    """The same purchases, of which every so many customers return all a few days later, as orders of their own."""
    returns = np.arange(len(frame)) % every == 0
    return frame.assign(total_amount=frame["total_amount"].where(~returns, 0.0))


def test_refunds_that_come_as_orders_of_their_own_are_no_spend(frame):
    plain, half, all_of_it = (
        ClosedFormModel.fit(one, "bg_nbd") for one in (frame, refunded(frame, 2), refunded(frame, 1))
    )
    share = refunded(frame, 2)["total_amount"].sum() / frame["total_amount"].sum()

    assert plain.kept_share == 1.0
    assert half.forecast(frame, 90).spend.sum() == pytest.approx(
        share * plain.forecast(frame, 90).spend.sum(), rel=1e-3
    )
    drawn = half.draw_spend(frame, 90, np.random.default_rng(1)).sum()
    assert drawn == pytest.approx(half.forecast(frame, 90).spend.sum(), rel=0.1)
    assert all_of_it.forecast(frame, 90).spend.max() == 0.0


def test_the_mean_of_repeat_purchases_is_net_of_refunds_already(frame):
    assert ClosedFormModel.fit(refunded(frame, 2), "bg_nbd", first_included=False).kept_share == 1.0


def test_a_body_of_an_earlier_version_keeps_all(model):
    body = {name: value for name, value in model.to_dict().items() if name != "kept_share"}

    assert ClosedFormModel.from_dict(json.loads(json.dumps(body))) == model


def test_the_pooled_amount_is_spend_per_purchase_day():
    rows = pd.DataFrame({"frequency": [1.0, 0.0], "total_amount": [20.0, 40.0]})

    assert pooled_amount(rows) == pytest.approx(20.0)
    assert pooled_amount(rows.iloc[:0]) == 0.0


def test_the_correlation_that_gamma_gamma_denies_is_reported(frame):
    dearer = frame.assign(
        monetary_amount=10.0 + 5.0 * frame["frequency"],
        total_amount=(10.0 + 5.0 * frame["frequency"]) * (frame["frequency"] + 1),
    )

    assert abs(ClosedFormModel.fit(frame, "bg_nbd").spend_correlation) < 0.1
    assert ClosedFormModel.fit(dearer, "bg_nbd").spend_correlation > 0.9


def test_an_unknown_kind_is_refused(frame):
    with pytest.raises(ModelError, match=r"No purchase model 'pareto'\. Did you mean 'pareto_nbd'\?"):
        ClosedFormModel.fit(frame, "pareto")


def test_the_body_brings_the_model_back(model, frame):
    back = ClosedFormModel.from_dict(json.loads(json.dumps(model.to_dict())))

    assert back == model


def test_collapsed_histories_give_the_parameters_of_the_customers_themselves(model, frame):
    key = ["frequency", "recency_days", "tenure_days"]
    collapsed = frame.groupby(key).size().rename("customer_count").astype("float64").reset_index()
    assert len(collapsed) < len(frame)

    other = model.with_purchases_of(collapsed.sample(frac=1, random_state=1))

    assert other.purchases.to_dict() == pytest.approx(model.purchases.to_dict(), rel=1e-6)
    assert other.spend == model.spend
