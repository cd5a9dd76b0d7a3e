"""The scoring jobs, run by run: what is published, what is withheld, which model scores, what came true."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from cdp_lib.contracts import ops, scores
from cdp_lib.errors import WorkflowError
from cdp_lib.models.sanity import SILENCE
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.workflow.graph import selected
from jobs.compose import job_named
from jobs.forecasts.monitor import LEFT_OUT
from tests.integration.shop import clockwork, FIRST_DAY, Purchase, regulars, Shop, shop

LIFETIME = "kind: lifetime_value\nhorizon_days: 60\n"
CHURN = "kind: churn\nhorizon_days: 60\n"
SEGMENTS = """
kind: segmentation
id: rfm
method: rfm
---
kind: segmentation
id: size
method: clusters
features: [order_count, total_amount]
"""
OTHERS = "kind: recommendation\nmin_buyers: 2\n---\nkind: purchase_pattern\nmin_support_count: 2\n"
LAST_DAY = FIRST_DAY + timedelta(days=399)

Open = Callable[..., Shop]


@pytest.fixture
def open_shop(
    spark: SparkSession, tmp_path: Path, mlflow_store: MlflowSettings, request: pytest.FixtureRequest
) -> Open:
    name = "".join(letter for letter in request.node.name.lower() if letter.isalnum())[:40]

    def make(documents: str) -> Shop:
        return shop(spark, tmp_path / name, tmp_path / "lake", mlflow_store, documents)

    return make


def withheld(one: Shop) -> dict[str, str]:
    """Check: what was observed, of what the newest run withheld."""
    rows = one.suite.ledger.rows(ops.QUALITY_RESULT)
    newest = max((row["run_id"] for row in rows), default="")
    return {
        row["expectation"]: row["observed"]
        for row in rows
        if row["run_id"] == newest and row["severity"] == "withhold" and not row["success"]
    }


@pytest.mark.slow
def test_lifetime_value_is_trained_published_and_compared_with_what_came_true(open_shop: Open) -> None:
    one = open_shop(LIFETIME)
    bought = regulars()
    middle = FIRST_DAY + timedelta(days=330)
    one.publish(bought)
    one.run("gold_cltv", as_of=middle)

    known = {purchase.customer for purchase in bought if purchase.day <= middle}
    first = one.collected(scores.CLTV)
    assert {row["golden_id"] for row in first} == known
    assert {(row["as_of_date"], row["horizon_days"], row["currency"]) for row in first} == {(middle, 60, "EUR")}
    champion = one.suite.models().champion("cltv")
    assert champion is not None
    assert {row["model_version"] for row in first} == {champion.label}
    assert one.run("gold_cltv", as_of=middle).outcomes[0].status == "nothing new"

    one.run("gold_cltv", as_of=LAST_DAY)
    rows = {row["metric"]: row for row in one.suite.ledger.rows(ops.MODEL_MONITOR)}
    ahead = [(p, (p.day - middle).days) for p in bought if middle < p.day <= middle + timedelta(days=60)]
    true = sum(float(p.amount) * 1.1 ** (-days / 365.25) for p, days in ahead if p.customer in known)
    assert rows["spend_amount"]["observed"] == pytest.approx(true)
    assert rows["spend_amount"]["predicted"] == pytest.approx(sum(float(row["cltv_amount"]) for row in first))
    assert (rows["spend_mae"]["elapsed_days"], rows["spend_mae"]["customer_count"]) == (60, len(known))


@pytest.mark.slow
def test_too_short_a_history_and_a_wild_forecast_are_withheld(open_shop: Open) -> None:
    one = open_shop(LIFETIME)
    one.publish(regulars(600))  # enough for a model to beat the last period, which is never far from itself
    one.run("gold_cltv", as_of=FIRST_DAY + timedelta(days=12))
    assert re.fullmatch(r"\d+ days of purchases, 28 needed .*", withheld(one)["history_is_long_enough"])
    assert one.suite.store.version(scores.CLTV) is None

    one.run("gold_cltv", as_of=LAST_DAY)
    served = one.collected(scores.CLTV)
    assert served
    assert one.suite.models().champion("cltv").body["model"]["form"] == "closed form"
    late = LAST_DAY + timedelta(days=300)
    one.publish([Purchase("c000", late, "90000.00")], 2)
    report = one.run("gold_cltv", as_of=late)
    assert re.search(r"as in the last period 9\d,\d{3}, more", withheld(one)["forecast_is_near_the_last_period"])
    assert report.outcomes[0].status == "succeeded"
    assert one.collected(scores.CLTV) == served


@pytest.mark.slow
def test_a_challenger_that_is_no_better_waits_and_a_promoted_one_scores(open_shop: Open) -> None:
    one = open_shop(CHURN)
    one.publish(regulars())
    one.run("gold_churn", as_of=LAST_DAY)
    registry = one.suite.models()
    assert registry.champion("churn").version == 1
    assert len(one.collected(scores.CHURN_SCORE)) == 150

    one.run("train_churn", as_of=LAST_DAY)
    assert (registry.champion("churn").version, registry.challenger("churn")) == (1, 2)
    assert one.run("gold_churn", as_of=LAST_DAY).outcomes[0].status == "nothing new"

    other = open_shop(CHURN.replace("60", "45"))
    other.run("train_churn", as_of=LAST_DAY)
    assert registry.champion("churn").version == 3
    name = registry.name("churn")
    deeds = sorted(one.suite.ledger.rows(ops.AUDIT), key=lambda row: row["happened_at"])
    assert [(row["action"], row["detail"]) for row in deeds] == [
        ("model_renew", f"{name}/1"),
        ("model_promote", f"{name}/3"),
    ]
    other.run("gold_churn", as_of=LAST_DAY)
    assert {row["horizon_days"] for row in one.collected(scores.CHURN_SCORE)} == {45}
    assert registry.versions("churn") == (1, 2, 3)


@pytest.mark.slow
def test_before_a_horizon_has_passed_nobody_is_called_gone(open_shop: Open) -> None:
    one = open_shop(CHURN)
    one.publish(clockwork(40, 0, 120))
    one.run("gold_churn", as_of=FIRST_DAY + timedelta(days=30))
    told = r"30 days of purchases, 88 needed to see whom 60 days bring back .*; or 100 customers, 30 of whom .*"
    assert re.fullmatch(told, withheld(one)["a_horizon_has_passed"])
    one.run("train_churn", as_of=FIRST_DAY + timedelta(days=31))
    assert one.suite.models().versions("churn") == ()

    one.run("gold_churn", as_of=FIRST_DAY + timedelta(days=100))
    assert {row["churn_band"] for row in one.collected(scores.CHURN_SCORE)} == {"low"}


@pytest.mark.slow
def test_churn_rates_of_today_take_the_place_of_those_of_earlier_days(open_shop: Open) -> None:
    # Few customers: champion and challenger are both the naive figure. Half of them leave after the first training.
    one = open_shop(CHURN)
    one.publish([*clockwork(40, 0, 400), *clockwork(40, 0, 250, "g")])
    one.run("gold_churn", as_of=FIRST_DAY + timedelta(days=250))
    assert {row["churn_band"] for row in one.collected(scores.CHURN_SCORE)} == {"low"}

    one.run("train_churn", as_of=LAST_DAY)
    champion = one.suite.models().champion("churn")
    assert champion is not None
    assert champion.version == 2
    promoted = [row["detail"] for row in one.suite.ledger.rows(ops.AUDIT) if row["action"] == "model_promote"]
    assert promoted == [champion.label]
    one.run("gold_churn", as_of=LAST_DAY)
    called_high = {row["golden_id"][0] for row in one.collected(scores.CHURN_SCORE) if row["churn_band"] == "high"}
    assert called_high == {"g"}


@pytest.mark.slow
def test_scores_that_drift_are_withheld_until_a_weekly_run_and_judged_by_their_own_day(open_shop: Open) -> None:
    # Half of the customers leave on day 250, the others come half as often: the champion's rate was learnt before.
    one = open_shop(LIFETIME + "sanity: {least_customers: 50}\n")
    later = [purchase for purchase in clockwork(40, 260, 400) if (purchase.day - FIRST_DAY).days // 10 % 2 == 0]
    one.publish([*clockwork(40, 0, 250), *later, *clockwork(40, 0, 250, "g")])
    day = {number: FIRST_DAY + timedelta(days=number) for number in (249, 300, 361)}
    one.run("gold_cltv", as_of=day[249])
    for late in (300, 361):
        one.run("gold_cltv", as_of=day[late])
        assert list(withheld(one)) == ["scores_are_spread_as_in_training"]
    rows = one.suite.ledger.rows(ops.MODEL_MONITOR)
    assert {(row["scored_as_of_date"], row["elapsed_days"]) for row in rows} == {(day[249], 51), (day[249], 60)}

    one.run("train_cltv", as_of=day[361])
    champion = one.suite.models().champion("cltv")
    assert champion is not None
    assert champion.version == 2
    one.run("gold_cltv", as_of=day[361])
    assert {row["as_of_date"] for row in one.collected(scores.CLTV)} == {day[361]}

    other = open_shop(LIFETIME.replace("60", "30"))
    other.run("gold_cltv", as_of=day[361] + timedelta(days=30))
    rows = [row for row in one.suite.ledger.rows(ops.MODEL_MONITOR) if row["scored_as_of_date"] == day[361]]
    assert {(row["horizon_days"], row["elapsed_days"]) for row in rows} == {(60, 30)}


@pytest.mark.slow
def test_customers_who_turn_out_to_be_one_are_compared_as_one_and_unknown_ones_are_counted(open_shop: Open) -> None:
    one = open_shop(f"{LIFETIME}---\n{CHURN}")
    one.publish(clockwork(40, 0, 400))
    middle = FIRST_DAY + timedelta(days=330)
    one.run("gold_cltv", "gold_churn", as_of=middle)
    first = one.collected(scores.CLTV)

    one.merge("c001", "c000")
    one.split("c002", "x002")
    one.run("gold_cltv", "gold_churn", as_of=LAST_DAY)
    rows = {row["metric"]: row for row in one.suite.ledger.rows(ops.MODEL_MONITOR)}
    assert {row["customer_count"] for row in rows.values()} == {38}
    said = sum(float(row["cltv_amount"]) for row in first if row["golden_id"] != "c002")
    assert rows["spend_amount"]["predicted"] == pytest.approx(said)
    assert rows[LEFT_OUT]["observed"] == 1
    assert "churn_rate" in rows


@pytest.mark.slow
def test_a_run_of_an_earlier_day_is_not_scored_by_what_came_later(open_shop: Open) -> None:
    one = open_shop(LIFETIME)
    one.publish(clockwork(40, 0, 400))
    one.run("gold_cltv", as_of=LAST_DAY)
    registry, middle = one.suite.models(), FIRST_DAY + timedelta(days=330)
    one.run("gold_cltv", as_of=middle)
    served = {(row["as_of_date"], row["model_version"]) for row in one.collected(scores.CLTV)}
    assert served == {(middle, f"{registry.name('cltv')}/2")}
    assert registry.stored("cltv", 2).body["as_of"] == middle.isoformat()
    assert registry.champion_version("cltv") == 1


@pytest.mark.slow
def test_everybody_is_in_one_segment_of_each_segmentation(open_shop: Open) -> None:
    one = open_shop(SEGMENTS)
    one.publish(regulars(120))
    one.run("gold_segment", as_of=LAST_DAY)

    members, cards = one.collected(scores.SEGMENT_MEMBER), one.collected(scores.SEGMENT_PROFILE)
    assert len(members) == 2 * 120
    for name in ("rfm", "size"):
        of_cards = [row for row in cards if row["segmentation_id"] == name]
        assert sum(row["customer_count"] for row in of_cards) == 120
        assert {row["segment"] for row in of_cards} == {
            row["segment"] for row in members if row["segmentation_id"] == name
        }
    assert {row["frequency_score"] for row in members if row["segmentation_id"] == "rfm"} <= {1, 2, 3, 4, 5}


@pytest.mark.slow
def test_patterns_preferences_and_recommendations_come_from_the_lines(open_shop: Open) -> None:
    one = open_shop(OTHERS)
    one.publish(regulars(30, 200))
    one.run("gold_pattern", "gold_recommendation", as_of=FIRST_DAY + timedelta(days=199))

    patterns = {
        (row["subject"], row["object"]): row
        for row in one.collected(scores.PURCHASE_PATTERN)
        if row["pattern_type"] == "rule_product"
    }
    assert patterns["butter", "jam"]["confidence"] == 1.0
    assert ("jam", "kettle") not in patterns
    liked = [row for row in one.collected(scores.CUSTOMER_PREFERENCE) if row["preference_kind"] == "product"]
    assert {row["value"] for row in liked if row["golden_id"] == "c000"} == {"bread", "kettle"}
    shown = one.collected(scores.RECOMMENDATION)
    assert {row["golden_id"] for row in shown} == {f"c{number:03}" for number in range(30)}
    assert not [row for row in shown if row["golden_id"] == "c000" and row["product_id"] == "kettle"]


@pytest.mark.slow
def test_scores_follow_the_day_though_only_events_are_new(open_shop: Open) -> None:
    one = open_shop(f"{CHURN}sanity: {{least_customers: 30}}\n---\n{OTHERS}")
    jobs = ("gold_pattern", "gold_recommendation", "gold_churn")
    one.publish(clockwork(40, 0, 120))
    assert {outcome.status for outcome in one.run(*jobs).outcomes} == {"succeeded"}
    assert {outcome.status for outcome in one.run(*jobs).outcomes} == {"nothing new"}

    late = FIRST_DAY + timedelta(days=160)
    one.look_in("c000", late)
    assert {outcome.status for outcome in one.run(*jobs).outcomes} == {"succeeded"}
    assert SILENCE in withheld(one)
    tables = (scores.PURCHASE_PATTERN, scores.CUSTOMER_PREFERENCE, scores.RECOMMENDATION)
    followed = [one.collected(table) for table in tables]
    assert {row["as_of_date"] for rows in followed for row in rows} == {late}
    one.run(*jobs, as_of=late)
    assert [one.collected(table) for table in tables] == followed


def test_a_pack_without_the_kind_has_no_such_job(open_shop: Open) -> None:
    pack = open_shop(LIFETIME).suite.pack
    pages = [job_named(name) for name in ("gold_cltv", "gold_churn", "gold_segment")]
    assert [job.name for job in selected(pages, pack)] == ["gold_cltv"]
    with pytest.raises(WorkflowError, match=r"job gold_churn has nothing to do: pack .* has no document of kind churn"):
        selected(pages, pack, only=["gold_churn"])
