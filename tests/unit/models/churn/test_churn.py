"""The churn score: calibrated, explained, the same in any order of the rows, simpler where customers are few."""

import json
import re
from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from cdp_lib.errors import ModelError
from cdp_lib.models.churn.churn import BandLimits, ChurnModel
from cdp_lib.models.churn.design import COLUMNS, design_matrix
from cdp_lib.models.churn.evaluation import auc, expected_calibration_error
from cdp_lib.models.churn.origins import Origin, stack_origins
from cdp_lib.models.churn.reasons import SUBJECTS, tell_reasons
from cdp_lib.models.churn.recency_bands import fit_recency_bands
from cdp_lib.models.churn.scorer import ChurnScorer
from tests.unit.models.churn.customers import churn_chance, feature_frame, labels_of

FRAME = feature_frame(4000)
LABELS = labels_of(FRAME)
OTHERS = feature_frame(4000, seed=5)


@pytest.fixture(scope="module")
def blend() -> ChurnModel:
    return ChurnModel.fit(FRAME, LABELS, horizon_days=90)


@pytest.fixture(scope="module")
def logistic() -> ChurnModel:
    few = FRAME.head(600)
    return ChurnModel.fit(few, labels_of(few), horizon_days=90)


def test_customers_never_seen_are_ranked_nearly_as_the_true_rule_ranks_them(blend: ChurnModel) -> None:
    churned = 1 - labels_of(OTHERS, seed=6)["has_purchase"]
    scored = blend.score(OTHERS)["churn_probability"]
    assert blend.form == "blend"
    assert auc(churned, scored) > auc(churned, churn_chance(OTHERS)) - 0.01
    assert expected_calibration_error(churned, scored) < 0.03


def test_the_score_has_a_row_for_each_customer_in_their_order(blend: ChurnModel) -> None:
    scored = blend.score(OTHERS.iloc[[5, 2, 9]])
    assert list(scored.columns) == ["golden_id", "churn_probability", "churn_band", "reasons"]
    assert scored["golden_id"].tolist() == ["g00005", "g00002", "g00009"]
    whole = blend.score(OTHERS)["churn_probability"].to_numpy()
    np.testing.assert_allclose(scored["churn_probability"], whole[[5, 2, 9]], rtol=1e-12)


def test_no_customers_are_scored_to_no_rows(blend: ChurnModel) -> None:
    assert blend.score(OTHERS.head(0)).shape == (0, 4)


def test_bands_follow_the_limits_that_were_passed_in() -> None:
    assert BandLimits(0.8, 0.5).band(np.array([0.9, 0.8, 0.79, 0.5, 0.1])).tolist() == [
        "high",
        "high",
        "medium",
        "medium",
        "low",
    ]
    model = ChurnModel.fit(FRAME.head(5), LABELS.head(5), horizon_days=90, limits=BandLimits(0.02, 0.01))
    assert set(model.score(OTHERS)["churn_band"]) == {"high"}


def test_contributions_add_up_to_the_log_odds(blend: ChurnModel, logistic: ChurnModel) -> None:
    for model in (blend, logistic):
        added, average = model.contributions(OTHERS)
        np.testing.assert_allclose(added.sum(axis=1) + average, logit(model.probability(OTHERS)), atol=1e-8)


def test_the_trees_explain_as_lightgbm_does(blend: ChurnModel) -> None:
    trees = blend.members.boosted
    assert trees is not None
    design = design_matrix(OTHERS, closed_form=False)
    added, average = trees.contributions(design)
    theirs = np.asarray(trees.booster.predict(design, pred_contrib=True))
    assert np.abs(theirs[:, :-1]).max() > 0.1
    np.testing.assert_allclose(added, theirs[:, :-1], atol=1e-12)
    np.testing.assert_allclose(average, theirs[:, -1], atol=1e-12)


def test_the_logistic_explains_by_weight_times_deviation_from_the_average_customer(logistic: ChurnModel) -> None:
    member = logistic.members.logistic
    assert logistic.form == "logistic"
    assert member is not None
    added, average = logistic.contributions(FRAME.head(600))
    np.testing.assert_allclose(added.mean(), 0, atol=1e-9)  # everybody together is the average customer
    place = COLUMNS.index("last_item_count")
    items = np.log1p(FRAME["last_item_count"].head(600))
    expected = logistic.members.slope * member.weight[place] * (items - items.mean()) / items.std(ddof=0)
    np.testing.assert_allclose(added["basket"], expected, atol=1e-9)
    assert average == pytest.approx(logistic.members.intercept + logistic.members.slope * member.average)


def test_reasons_cite_the_customers_own_figures(blend: ChurnModel) -> None:
    lost = FRAME.head(1).assign(
        **{f"{kind}_{days}d": 0.0 for kind in ("purchase_count", "amount") for days in (30, 90)},
        frequency=2.0,
        recency_days=320.0,
        tenure_days=380.0,
        mean_gap_days=30.0,
        largest_gap_days=45.0,
    )
    reasons = blend.score(lost)["reasons"][0]
    assert 1 <= len(reasons) <= 3
    assert "no purchase for 320 days, usual gap 30" in reasons


def test_reasons_push_to_the_side_on_which_the_score_lies(blend: ChurnModel) -> None:
    added, average = blend.contributions(OTHERS)
    scored = blend.score(OTHERS)
    above = logit(scored["churn_probability"]) > average
    tells_recency = scored["reasons"].map(lambda said: any("no purchase for" in reason for reason in said)).to_numpy()
    assert (added["recency"].to_numpy()[tells_recency & above.to_numpy()] > 0).all()
    assert (added["recency"].to_numpy()[tells_recency & ~above.to_numpy()] < 0).all()


def test_the_order_of_rows_leaves_no_trace(blend: ChurnModel) -> None:
    other = ChurnModel.fit(FRAME.sample(frac=1, random_state=3), LABELS.sample(frac=1, random_state=4), horizon_days=90)
    np.testing.assert_allclose(other.probability(OTHERS), blend.probability(OTHERS), atol=1e-9)


def test_the_json_body_scores_alike(blend: ChurnModel, logistic: ChurnModel) -> None:
    simple = ChurnModel.fit(FRAME.head(0), LABELS.head(0), horizon_days=90)
    for model in (blend, logistic, simple):
        again = ChurnModel.from_dict(json.loads(json.dumps(model.to_dict())))
        pd.testing.assert_frame_equal(again.score(OTHERS), model.score(OTHERS), rtol=1e-12)
        assert (again.form, again.reason) == (model.form, model.reason)


def test_longer_absence_never_lowers_what_the_trees_say(blend: ChurnModel) -> None:
    assert blend.members.boosted is not None
    design = np.repeat(design_matrix(OTHERS.head(20), closed_form=False), 50, axis=0)
    design[:, COLUMNS.index("recency_days")] = np.tile(np.linspace(0, 6, 50), 20)
    assert (np.diff(blend.members.boosted.logit(design).reshape(20, 50), axis=1) >= 0).all()


def test_the_closed_form_is_used_where_it_is_given() -> None:
    known = FRAME.assign(no_purchase_probability=churn_chance(FRAME))
    model = ChurnModel.fit(known, LABELS, horizon_days=90)
    asked = OTHERS.assign(no_purchase_probability=churn_chance(OTHERS))
    asked.loc[0, "no_purchase_probability"] = np.nan
    scored = model.score(asked)
    assert scored["churn_probability"].between(0, 1).all()
    assert any("own rhythm foretells" in reason for reasons in scored["reasons"] for reason in reasons)
    with pytest.raises(ModelError, match=r"lacks \['no_purchase_probability'\]"):
        model.score(OTHERS)


def test_with_few_customers_the_closed_form_is_the_score() -> None:
    few = FRAME.head(30).assign(no_purchase_probability=churn_chance(FRAME.head(30)))
    model = ChurnModel.fit(few, LABELS.head(30), horizon_days=90)
    assert model.form == "no_purchase_probability"
    assert "a model of their own needs 50 of each; the closed form is taken as it is" in model.reason
    np.testing.assert_allclose(model.probability(few), few["no_purchase_probability"])
    unknown = few.assign(no_purchase_probability=np.nan)
    assert model.score(unknown)["churn_probability"].between(0, 1).all()


def test_with_few_customers_and_no_closed_form_the_rate_per_band_of_recency_is_the_score() -> None:
    few = FRAME.head(4).assign(recency_days=[1.0, 10.0, 100.0, 100.0])
    bought = pd.DataFrame({"golden_id": few["golden_id"], "has_purchase": [1, 1, 0, 0]})
    model = ChurnModel.fit(few, bought, horizon_days=90)
    assert model.form == "recency_bands"
    assert model.reason.startswith("2 customers churned and 2 stayed")
    # overall (2 + 1) / (4 + 2); bands to 22.5 days: (0 + 10 * .5) / 12, and 90 to 180 days: (2 + 10 * .5) / 12
    np.testing.assert_allclose(model.probability(few), [5 / 12, 5 / 12, 7 / 12, 7 / 12])
    assert model.probability(few.assign(recency_days=np.nan)).tolist() == [0.5] * 4
    assert model.score(few)["reasons"][2][0].startswith("no purchase for 100 days")


@pytest.mark.parametrize("bought", [0.0, 1.0])
def test_one_outcome_alone_is_scored_near_it_and_says_so(bought: float) -> None:
    model = ChurnModel.fit(FRAME, LABELS.assign(has_purchase=bought), horizon_days=90)
    assert model.form == "recency_bands"
    assert np.abs(model.probability(OTHERS) - (1 - bought)).max() < 0.001
    assert "0 " in model.reason


def test_no_customers_at_all_give_a_half() -> None:
    model = ChurnModel.fit(FRAME.head(0), LABELS.head(0), horizon_days=90)
    assert set(model.probability(OTHERS)) == {0.5}
    assert model.score(OTHERS)["reasons"].tolist() == [[]] * len(OTHERS)


def test_labels_that_nothing_foretells_are_not_learnt() -> None:
    coin = np.random.default_rng(0).permutation(LABELS["has_purchase"])
    model = ChurnModel.fit(FRAME, LABELS.assign(has_purchase=coin), horizon_days=90)
    assert model.probability(OTHERS).std() < 0.06


def test_unknown_values_are_scored() -> None:
    holes = OTHERS.assign(item_count=np.nan, monetary_amount=np.nan, largest_gap_days=np.inf)
    known = FRAME.assign(item_count=np.nan)
    model = ChurnModel.fit(known, LABELS, horizon_days=90)
    assert model.score(holes)["churn_probability"].between(0.001, 0.999).all()


def test_cuts_are_stacked_and_calibrated_on_the_latest() -> None:
    easy = LABELS.assign(has_purchase=1.0)
    earlier = Origin(date(2024, 1, 1), FRAME, easy)
    latest = Origin(date(2024, 4, 1), FRAME, LABELS)
    frame, labels = stack_origins([earlier, latest], horizon_days=90, scored_at=date(2024, 7, 1))
    assert len(frame) == 2 * len(FRAME)
    model = ChurnModel.fit(frame, labels, horizon_days=90)
    truth = churn_chance(OTHERS).mean()
    assert model.probability(OTHERS).mean() == pytest.approx(truth, abs=0.05)  # half of it without the calibration


def test_labels_of_a_part_of_the_horizon_teach_the_weights_and_change_no_level() -> None:
    # In a third of the horizon fewer return, for the same reasons.
    stays = 1 - expit(logit(churn_chance(FRAME)) + 1.5)
    soon = LABELS.assign(has_purchase=(np.random.default_rng(8).uniform(size=len(LABELS)) < stays) * 1.0)
    few = FRAME.head(200)
    whole = Origin(date(2024, 4, 1), few, labels_of(few))
    late = Origin(date(2024, 6, 1), FRAME, soon, 30)
    frame, labels = stack_origins([whole, late], horizon_days=90, scored_at=date(2024, 7, 1))

    model, alone = (ChurnModel.fit(*given, horizon_days=90) for given in ((frame, labels), (few, labels_of(few))))

    churned = 1 - labels_of(OTHERS, seed=6)["has_purchase"]
    assert model.form == alone.form == "logistic"
    assert model.bands == alone.bands
    assert model.probability(OTHERS).mean() == pytest.approx(churn_chance(OTHERS).mean(), abs=0.05)
    assert auc(churned, model.probability(OTHERS)) > auc(churned, alone.probability(OTHERS))


def test_a_body_of_the_first_version_scores_with_the_columns_that_it_knows(logistic: ChurnModel) -> None:
    body = json.loads(json.dumps(logistic.to_dict()))
    added = ("previous_recency_days", "last_item_count", "history_share", "repeated_product_count")
    kept = [place for place, name in enumerate(body.pop("features")) if name not in added]
    member = body["members"]["logistic"]
    member |= {name: [member[name][place] for place in kept] for name in ("typical", "mean", "deviation", "weight")}

    earlier = ChurnModel.from_dict(body)

    scored = earlier.score(OTHERS)
    assert scored["churn_probability"].between(0, 1).all()
    np.testing.assert_allclose(
        earlier.contributions(OTHERS)[0]["recency"], logistic.contributions(OTHERS)[0]["recency"], atol=1e-12
    )
    assert earlier.to_dict()["features"] == [name for name in logistic.features if name not in added]


@pytest.mark.parametrize(
    ("subject", "column", "words"),
    [
        (
            "basket",
            "last_item_count",
            [
                "1 item on the last purchase day",
                "12 items on the last purchase day",
                "items of the last purchase day unknown",
            ],
        ),
        (
            "habits",
            "repeated_product_count",
            ["1 product bought on more than one day", "12 products bought on more than one day", "no products known"],
        ),
    ],
)
def test_the_last_basket_and_habits_are_told_in_words(subject: str, column: str, words: list[str]) -> None:
    by_subject = np.zeros((3, len(SUBJECTS)))
    by_subject[:, SUBJECTS.index(subject)] = 1.0
    frame = FRAME.head(3).assign(**{column: [1.0, 12.0, np.nan]})

    assert tell_reasons(frame, by_subject, 90) == [[one] for one in words]


def test_trees_weigh_half_as_much_as_the_logistic_member_and_as_much_in_earlier_bodies(blend: ChurnModel) -> None:
    members = blend.members
    assert members.logistic is not None
    assert members.boosted is not None
    design = design_matrix(OTHERS, closed_form=blend.closed_form)
    own, trees = members.logistic.logit(design), members.boosted.logit(design)

    np.testing.assert_allclose(members.logit(design), members.intercept + members.slope * (2 * own + trees) / 3)
    body = json.loads(json.dumps(blend.to_dict()))
    del body["members"]["logistic_share"]
    earlier = ChurnModel.from_dict(body).members
    np.testing.assert_allclose(earlier.logit(design), members.intercept + members.slope * (own + trees) / 2)


def test_labels_that_end_after_the_cut_are_refused() -> None:
    late = Origin(date(2024, 4, 3), FRAME, LABELS)
    with pytest.raises(ModelError, match=r"labels of 2024-04-03 end after 2024-07-01\. Train on cuts up to 2024-04-02"):
        stack_origins([late], horizon_days=90, scored_at=date(2024, 7, 1))
    with pytest.raises(ModelError, match=r"labels of 2024-06-02 end after 2024-07-01"):
        stack_origins([Origin(date(2024, 6, 2), FRAME, LABELS, 30)], horizon_days=90, scored_at=date(2024, 7, 1))
    with pytest.raises(ModelError, match="no training cut"):
        stack_origins([], horizon_days=90, scored_at=date(2024, 7, 1))


def test_errors_say_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"horizon of 0 days. Give at least 1 day"):
        ChurnModel.fit(FRAME, LABELS, horizon_days=0)
    with pytest.raises(ModelError, match=r"feature frame lacks \['frequency'\]"):
        ChurnModel.fit(FRAME.drop(columns="frequency"), LABELS, horizon_days=90)
    with pytest.raises(ModelError, match=r"1 of 4000 training rows have no label"):
        ChurnModel.fit(FRAME, LABELS.head(3999), horizon_days=90)
    with pytest.raises(ModelError, match=r"1 rows of the labels repeat golden_id.*cut_date"):
        ChurnModel.fit(FRAME, pd.concat([LABELS, LABELS.head(1)]), horizon_days=90)
    with pytest.raises(ModelError, match=r"labels lack \['has_purchase'\]"):
        ChurnModel.fit(FRAME, LABELS[["golden_id"]], horizon_days=90)
    with pytest.raises(ModelError, match="other values than 0 and 1"):
        ChurnModel.fit(FRAME, LABELS.assign(has_purchase=2), horizon_days=90)
    with pytest.raises(ModelError, match="0 < medium < high < 1"):
        BandLimits(0.3, 0.5)
    with pytest.raises(ModelError, match="no_purchase_probability from 2 to 2"):
        ChurnModel.fit(FRAME.assign(no_purchase_probability=2.0), LABELS, horizon_days=90)
    with pytest.raises(ModelError, match=r"body lacks \['bands', 'closed_form', 'horizon_days', 'limits', 'members'\]"):
        ChurnModel.from_dict({})


def test_a_model_scores_in_the_bands_of_today(blend: ChurnModel) -> None:
    scorer = ChurnScorer(blend, None)
    other = scorer.with_limits(BandLimits(0.5, 0.1)).score(OTHERS)
    is_high = other["churn_probability"] >= 0.5
    assert set(other["churn_band"][is_high]) == {"high"}
    assert set(other["churn_band"][~is_high]) == {"medium", "low"}
    np.testing.assert_array_equal(other["churn_probability"], scorer.score(OTHERS)["churn_probability"])


def test_who_was_away_longer_than_anybody_seen_is_gone_no_less() -> None:
    away, churned = np.repeat([10.0, 100.0], 20), np.repeat([0.0, 1.0], 20)
    bands = fit_recency_bands(away, churned, 60)
    said = bands.probability(np.array([5.0, 20.0, 90.0, 300.0]))
    assert said[0] == said[1] < 0.2
    assert said[2] == said[3] > 0.8


def test_too_few_labels_give_way_to_a_rhythm_that_earlier_customers_had_not() -> None:
    few = ChurnModel.fit(FRAME.head(20), LABELS.head(20), horizon_days=90)
    known = OTHERS.assign(no_purchase_probability=np.linspace(0, 1, len(OTHERS)))

    model = few.by_rhythm()

    assert (few.form, model.form) == ("recency_bands", "no_purchase_probability")
    assert re.fullmatch(r".* churned and .* needs 50 of each; the closed form is taken as it is", model.reason)
    np.testing.assert_allclose(model.probability(known), known["no_purchase_probability"])
    again = ChurnModel.from_dict(json.loads(json.dumps(model.to_dict())))
    pd.testing.assert_frame_equal(again.score(known), model.score(known))
