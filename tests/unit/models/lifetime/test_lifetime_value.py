"""Lifetime value end to end: which form few and many customers bear, what is scored, and that nothing changes it."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cdp_lib.errors import ModelError
from cdp_lib.models.lifetime.closed_form import ClosedFormModel, PURCHASE_MODELS
from cdp_lib.models.lifetime.evaluation import spend_scores
from cdp_lib.models.lifetime.last_period import last_period_spend
from cdp_lib.models.lifetime.lifetime_fit import Example, fit_lifetime, in_order, LAST_WEIGHTS, WEIGHTS
from cdp_lib.models.lifetime.lifetime_value import (
    BLEND,
    CLOSED_FORM,
    LAST_PERIOD,
    LifetimeModel,
    LifetimeSettings,
    REPEAT_RATE,
    SCORES,
)
from tests.unit.models.lifetime.simulated_purchases import bought_days, features_at, labels_after

CUT, HORIZON, EARLIER = 240, 90, 150
SETTINGS = LifetimeSettings(HORIZON, discount_rate=0.0)


@pytest.fixture(scope="module")
def bought() -> pd.DataFrame:
    return bought_days(2_500, 330, 7)


@pytest.fixture(scope="module")
def frame(bought) -> pd.DataFrame:
    return features_at(bought, CUT)


@pytest.fixture(scope="module")
def example(bought) -> Example:
    return Example(features_at(bought, EARLIER), labels_after(bought, EARLIER, HORIZON), HORIZON)


@pytest.fixture(scope="module")
def blend(frame, example) -> LifetimeModel:
    return fit_lifetime(frame, [example], SETTINGS)


@pytest.fixture(scope="module")
def closed(frame) -> LifetimeModel:
    return fit_lifetime(frame, [], SETTINGS)


def without_model(frame: pd.DataFrame, form: str) -> LifetimeModel:
    return replace(fit_lifetime(frame.head(40), [], SETTINGS), form=form)


def of_form(form: str, frame: pd.DataFrame, request: pytest.FixtureRequest) -> LifetimeModel:
    return without_model(frame, form) if form in (LAST_PERIOD, REPEAT_RATE) else request.getfixturevalue(form)


def test_many_customers_with_an_earlier_cut_bear_a_blend(blend):
    assert blend.form == BLEND
    assert blend.boosted_weight in WEIGHTS
    assert blend.last_weight in LAST_WEIGHTS
    assert "told purchases best after the earlier cut" in blend.reason
    assert "closed form" in blend.reason


def test_without_an_earlier_cut_the_likelier_closed_form_stands_alone(closed):
    assert closed.form == CLOSED_FORM
    assert closed.boosted is None
    assert "likelier" in closed.reason
    assert "there is no earlier cut" in closed.reason


def test_too_few_examples_leave_the_boosters_out_and_say_so(frame, example):
    few = Example(example.features.head(300), example.labels, HORIZON)

    model = fit_lifetime(frame, [few], SETTINGS)

    assert model.form == CLOSED_FORM
    assert "300 customers at an earlier cut, 1000 needed" in model.reason


@pytest.mark.parametrize(
    ("spent", "reason"),
    [(0.0, "0 customers bought after an earlier cut, 200 needed"), (9.0, "0 customers bought nothing .*, 30 needed")],
)
def test_all_or_nothing_after_an_earlier_cut_leaves_the_boosters_out(frame, example, spent, reason):
    alike = Example(example.features, example.labels.assign(future_amount=spent), HORIZON)

    model = fit_lifetime(frame, [alike], SETTINGS)

    assert model.form == CLOSED_FORM
    assert re.search(reason, model.reason)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (slice(0, 0), "0 customers, 100 needed"),
        (slice(0, 40), "40 customers, 100 needed"),
    ],
)
def test_too_few_customers_are_forecast_by_the_rate_at_which_they_return(frame, rows, reason):
    model = fit_lifetime(frame.iloc[rows], [], SETTINGS)

    assert model.form == REPEAT_RATE
    assert reason in model.reason
    assert len(model.score(frame)) == len(frame)


def test_too_few_repeaters_and_too_little_history_are_said(frame):
    once = frame[frame["frequency"] == 0]
    short = frame.assign(tenure_days=frame["tenure_days"] // 20, recency_days=0.0)
    short = short[(short["frequency"] > 0) & (short["tenure_days"] > 0)]

    assert "0 customers with two purchase days, 30 needed" in fit_lifetime(once, [], SETTINGS).reason
    assert "12 days of history, 28 needed" in fit_lifetime(short, [], SETTINGS).reason


def test_the_last_period_is_what_was_bought_in_it(frame):
    scores = without_model(frame, LAST_PERIOD).score(frame)

    np.testing.assert_allclose(scores["predicted_purchase_count"], frame["purchase_count_90d"])
    np.testing.assert_allclose(scores["cltv_amount"], frame["amount_90d"])
    assert (scores["cltv_high_amount"] > 0).all()


@pytest.mark.parametrize("form", ["blend", "closed", LAST_PERIOD, REPEAT_RATE])
def test_every_customer_is_scored_in_order_and_within_bounds(form, frame, request):
    model = of_form(form, frame, request)
    scores = model.score(frame)

    assert list(scores.columns) == ["golden_id", *SCORES]
    assert scores["golden_id"].tolist() == frame["golden_id"].tolist()
    assert np.isfinite(scores[list(SCORES)]).all(axis=None)
    assert (scores[list(SCORES)] >= 0).all(axis=None)
    assert (scores["probability_alive"] <= 1).all()
    assert (scores["cltv_low_amount"] <= scores["cltv_amount"]).all()
    assert (scores["cltv_amount"] <= scores["cltv_high_amount"]).all()


@pytest.mark.parametrize("form", ["blend", "closed", LAST_PERIOD, REPEAT_RATE])
def test_no_rows_and_one_row_are_scored_as_in_the_whole(form, frame, request):
    model = of_form(form, frame, request)
    whole = model.score(frame)

    assert list(model.score(frame.iloc[:0]).columns) == list(whole.columns)
    pd.testing.assert_frame_equal(
        model.score(frame.iloc[[17]]), whole.iloc[[17]].reset_index(drop=True), check_exact=False, rtol=1e-9
    )


def test_heavy_buyers_are_scored(blend, frame):
    heavy = frame.head(1).assign(
        frequency=1_000.0, tenure_days=1_100.0, recency_days=1.0, mean_gap_days=1.1, largest_gap_days=3.0
    )
    for window in (30, 90, 180, 365):
        heavy[f"purchase_count_{window}d"] = float(window)

    scores = blend.score(heavy)

    assert np.isfinite(scores[list(SCORES)]).all(axis=None)
    assert 50 < scores["predicted_purchase_count"].iloc[0] < 100


@pytest.mark.parametrize("form", ["blend", "closed"])
def test_what_came_true_was_forecast(form, frame, bought, request):
    scores = request.getfixturevalue(form).score(frame)
    truth = labels_after(bought, CUT, HORIZON)["future_amount"]
    naive = spend_scores(frame["amount_90d"].to_numpy(), truth.to_numpy())
    ours = spend_scores(scores["cltv_amount"].to_numpy(), truth.to_numpy())
    held = (scores["cltv_low_amount"] <= truth) & (truth <= scores["cltv_high_amount"])

    assert ours.gini > naive.gini
    assert ours.mae < naive.mae
    assert abs(ours.aggregate_error) < 0.15
    assert held.mean() > 0.75


def test_later_money_is_worth_less(frame, example):
    dear = fit_lifetime(frame, [example], LifetimeSettings(HORIZON, discount_rate=0.5)).score(frame)
    plain = fit_lifetime(frame, [example], SETTINGS).score(frame)

    share = dear["cltv_amount"].sum() / plain["cltv_amount"].sum()

    assert 1.5 ** -(HORIZON / 365) < share < 1
    np.testing.assert_allclose(dear["predicted_purchase_count"], plain["predicted_purchase_count"])


def test_rows_in_another_order_give_the_same_scores(blend, frame, example):
    order = np.random.default_rng(1).permutation(len(example.features))
    shuffled = Example(example.features.iloc[order], example.labels.sample(frac=1, random_state=2), HORIZON)
    again = fit_lifetime(frame.sample(frac=1, random_state=3), [shuffled], SETTINGS)

    pd.testing.assert_frame_equal(again.score(frame), blend.score(frame), check_exact=False, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("form", ["blend", "closed", LAST_PERIOD, REPEAT_RATE])
def test_the_body_brings_the_model_back(form, frame, request):
    model = of_form(form, frame, request)

    back = LifetimeModel.from_dict(json.loads(json.dumps(model.to_dict())))

    pd.testing.assert_frame_equal(back.score(frame), model.score(frame))
    assert (back.form, back.reason, back.settings) == (model.form, model.reason, model.settings)


def test_a_blend_takes_its_share_of_the_last_period(blend, frame):
    plain, half = (replace(blend, last_weight=share).score(frame)["cltv_amount"] for share in (0.0, 0.5))

    last = last_period_spend(frame, HORIZON)

    np.testing.assert_allclose(half, (plain + last) / 2)


def test_regulars_whose_spend_differs_are_forecast_beside_their_last_period(frame, example):
    # Each spends next what they spent last: nothing that trees can learn beats saying so.
    same = example.labels.assign(future_amount=last_period_spend(example.features, HORIZON))

    model = fit_lifetime(frame, [Example(example.features, same, HORIZON)], SETTINGS)

    assert model.last_weight == max(LAST_WEIGHTS)
    assert "beside 50% of the last period's" in model.reason


def test_a_body_of_an_earlier_version_has_no_share_of_the_last_period(blend, frame):
    body = replace(blend, last_weight=0.0).to_dict()
    later = ("last_weight", "repeat_rate", "kept_share")
    earlier = {name: value for name, value in body.items() if name not in later}

    back = LifetimeModel.from_dict(json.loads(json.dumps(earlier)))

    pd.testing.assert_frame_equal(back.score(frame), replace(blend, last_weight=0.0).score(frame))


def test_customers_without_labels_are_refused(frame, example):
    twice = pd.concat([example.labels.iloc[1:], example.labels.tail(2)])

    with pytest.raises(ModelError, match=r"1 customers of an earlier cut have no labels, 2 have them twice"):
        fit_lifetime(frame, [Example(example.features, twice, HORIZON)], SETTINGS)


def test_a_frame_that_cannot_be_is_refused(frame):
    with pytest.raises(ModelError, match="lacks tenure_days"):
        fit_lifetime(frame.drop(columns="tenure_days"), [], SETTINGS)
    with pytest.raises(ModelError, match="last purchase before the first"):
        fit_lifetime(frame.assign(recency_days=900.0), [], SETTINGS)


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ModelError, match=r"horizon_days 0, discount_rate -0.1.*A horizon is 1 day or more"):
        LifetimeSettings(0, discount_rate=-0.1)


def test_a_model_without_numbers_is_never_the_best():
    assert in_order({"bg_nbd": float("nan"), "pareto_nbd": 3.0}) == ("pareto_nbd",)
    assert in_order({"bg_nbd": 2.0, "pareto_nbd": 1.0}) == ("pareto_nbd", "bg_nbd")
    assert in_order({"bg_nbd": float("inf"), "pareto_nbd": float("nan")}) == ()


def subscribers(customers: int = 150, days: int = 400) -> pd.DataFrame:
    """They pay every thirtieth day from their first on: at some cuts BG/NBD finds no parameters for them."""
    starts = np.random.default_rng(1).integers(0, days - 30, customers)
    paid = [(f"c{one:03}", day) for one, start in enumerate(starts) for day in range(start, days, 30)]
    return pd.DataFrame(paid, columns=["golden_id", "day"]).assign(amount=9.99)


def test_where_one_model_of_purchases_cannot_be_fitted_the_other_stands():
    bought = subscribers()
    late = features_at(bought, 320)
    with pytest.raises(ModelError, match="BG/NBD: no likeliest parameters found"):
        ClosedFormModel.fit(late, "bg_nbd")
    earlier = Example(late, labels_after(bought, 320, 79), 79)

    model = fit_lifetime(features_at(bought, 399), [earlier], SETTINGS)
    now = fit_lifetime(late, [], SETTINGS)

    assert (model.form, model.closed.kind) == (CLOSED_FORM, "pareto_nbd")
    assert "pareto_nbd told purchases best after the earlier cut" in model.reason
    assert (now.form, now.closed.kind) == (CLOSED_FORM, "pareto_nbd")
    assert "pareto_nbd is the likelier model" in now.reason


def test_where_the_better_model_cannot_be_fitted_today_the_other_stands():
    bought = subscribers()
    early, late = features_at(bought, 300), features_at(bought, 320)
    said = ClosedFormModel.fit(early, "bg_nbd").forecast(early, 20).purchases
    as_bg_nbd_has_it = labels_after(bought, 300, 20).assign(future_purchase_count=said)

    model = fit_lifetime(late, [Example(early, as_bg_nbd_has_it, 20)], SETTINGS)

    assert (model.form, model.closed.kind) == (CLOSED_FORM, "pareto_nbd")
    assert re.match(r"pareto_nbd is the one that could be fitted \(0\.\d+ off per customer\)", model.reason)


class Unfit:
    """A model of purchases that no history bears out."""

    @classmethod
    def fit(cls, counts):
        raise ModelError("no parameters")


def test_a_model_that_fits_today_alone_is_not_tried_and_says_so(frame, example, monkeypatch):
    fits = PURCHASE_MODELS["bg_nbd"].fit
    few = Example(example.features.head(300), example.labels, HORIZON)

    class OnlyToday(Unfit):
        @classmethod
        def fit(cls, counts):
            return fits(counts) if counts.total > 300 else super().fit(counts)

    class OnlyThen(Unfit):
        @classmethod
        def fit(cls, counts):
            return fits(counts) if counts.total == 300 else super().fit(counts)

    monkeypatch.setitem(PURCHASE_MODELS, "bg_nbd", OnlyThen)
    monkeypatch.setitem(PURCHASE_MODELS, "pareto_nbd", OnlyToday)

    model = fit_lifetime(frame, [few], SETTINGS)

    assert model.reason.startswith(
        "pareto_nbd is the one that could be fitted (not tried on an earlier cut); no boosters"
    )


def test_where_neither_model_of_purchases_can_be_fitted_there_is_no_closed_form(frame, example, monkeypatch):
    for kind in PURCHASE_MODELS:
        monkeypatch.setitem(PURCHASE_MODELS, kind, Unfit)

    model = fit_lifetime(frame, [example], SETTINGS)

    assert model.form == REPEAT_RATE
    told = "the closed form could not be fitted: bg_nbd: no parameters; pareto_nbd: no parameters"
    assert model.reason == told


def test_where_neither_gives_a_number_there_is_no_closed_form(frame, example, monkeypatch):
    class Nameless(PURCHASE_MODELS["bg_nbd"]):
        def purchases_if_alive(self, counts, horizon_days):
            return np.full(len(counts.tenure), np.nan)

    for kind in PURCHASE_MODELS:
        monkeypatch.setitem(PURCHASE_MODELS, kind, Nameless)

    model = fit_lifetime(frame, [example], SETTINGS)

    assert model.form == REPEAT_RATE
    assert "bg_nbd and pareto_nbd gave no number for customers of an earlier cut" in model.reason


def test_customers_who_buy_like_clockwork_are_forecast():
    rng = np.random.default_rng(5)
    days = [
        (f"c{one:04}", day)
        for one in range(400)
        for day in np.cumsum(np.r_[rng.integers(0, 60), rng.integers(5, 10, rng.geometric(rng.beta(1, 5)))])
    ]
    bought = pd.DataFrame(days, columns=["golden_id", "day"]).assign(amount=10.0, item_count=1.0)
    early, late = features_at(bought, 150), features_at(bought, 240)
    example = Example(early, labels_after(bought, 150, HORIZON), HORIZON)

    model = fit_lifetime(late, [example], SETTINGS)

    assert model.form == CLOSED_FORM
    assert "(nan off" not in model.reason
    assert np.isfinite(model.score(late)[list(SCORES)]).all(axis=None)


@pytest.mark.parametrize("form", [LAST_PERIOD, REPEAT_RATE, BLEND])
def test_what_is_repeated_grows_with_the_history_after_the_training(form, blend):
    # 80 customers buy for 10 every ten days; the model is trained on the first month and asked for half a year.
    every = [(f"c{one:02}", float(one % 10 + day)) for one in range(80) for day in range(0, 221, 10)]
    bought = pd.DataFrame(every, columns=["golden_id", "day"]).assign(amount=10.0)
    half_year = replace(SETTINGS, horizon_days=180)
    trained = replace(fit_lifetime(features_at(bought, 30), [], half_year), form=form)
    model = replace(blend, settings=half_year, last_weight=0.5) if form == BLEND else trained

    for cut in (60, 120, 200):
        frame = features_at(bought, cut)
        said = model.score(frame)["cltv_amount"].to_numpy()
        if form == BLEND:
            said = 2 * said - replace(model, last_weight=0.0).score(frame)["cltv_amount"].to_numpy()
        # The rate counts the days since the last purchase, in which none was due yet.
        assert said.mean() == pytest.approx(180.0, rel=0.15 if form == REPEAT_RATE else 0.1)


def test_a_frame_that_does_not_tell_how_much_is_known_is_refused(frame):
    with pytest.raises(ModelError, match=r"Last period: the feature frame lacks history_days; it has golden_id"):
        without_model(frame, LAST_PERIOD).score(frame.drop(columns="history_days"))
