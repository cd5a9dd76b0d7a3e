"""Clusters are the groups there are, keep their labels from run to run, and are told in words."""

import json

import numpy as np
import pandas as pd
import pytest

from cdp_lib.errors import ModelError
from cdp_lib.models.clusters.clusters import ClusterModel
from cdp_lib.models.clusters.kmeans import choose_centres, ClusterSettings, keep_numbers, LEAVE, TIE
from cdp_lib.models.clusters.scaling import fit_scaling

FEATURES = ("frequency", "recency_days", "monetary_amount")
MIDDLES = {"loyal": (20, 5, 80), "lost": (2, 300, 20), "new": (1, 10, 25), "whales": (6, 60, 900)}


def customers(size: int = 600, seed: int = 1, kinds: tuple[str, ...] = tuple(MIDDLES)) -> pd.DataFrame:
    """Customers of kinds that lie well apart, each kind as many; `kind` is the truth."""
    rng = np.random.default_rng(seed)
    kind = np.resize(np.array(kinds), size)
    figures = np.array([MIDDLES[name] for name in kind]) * rng.lognormal(0, 0.15, (size, 3))
    frame = pd.DataFrame(figures, columns=list(FEATURES))
    return frame.assign(golden_id=[f"g{number:05d}" for number in range(size)], kind=kind)


FRAME = customers()


@pytest.fixture(scope="module")
def model() -> ClusterModel:
    return ClusterModel.fit(FRAME, FEATURES)


def label_of(model: ClusterModel, frame: pd.DataFrame) -> dict[str, str]:
    """Kind: the label of its customers; fails where a kind is in two clusters."""
    pairs = pd.DataFrame({"kind": frame["kind"].to_numpy(), "cluster": model.score(frame)["cluster"]}).drop_duplicates()
    assert not pairs["kind"].duplicated().any()
    return dict(zip(pairs["kind"], pairs["cluster"], strict=True))


def test_the_groups_that_there_are_are_found_and_k_with_them(model: ClusterModel) -> None:
    assert (model.form, len(model.centres)) == ("k_means", 4)
    assert model.reason.startswith("k = 4 of 3 to 8: mean silhouette 0.")
    assert sorted(label_of(model, FRAME).values()) == ["cluster_1", "cluster_2", "cluster_3", "cluster_4"]
    assert max(model.silhouettes, key=lambda k: model.silhouettes[k]) == 4


def test_scores_have_a_row_for_each_customer_in_their_order(model: ClusterModel) -> None:
    scored = model.score(FRAME.iloc[[7, 3]])
    assert list(scored.columns) == ["golden_id", "cluster", "cluster_name"]
    assert scored["golden_id"].tolist() == ["g00007", "g00003"]
    assert model.score(FRAME.head(0)).shape == (0, 3)


def test_the_order_of_rows_leaves_no_trace(model: ClusterModel) -> None:
    other = ClusterModel.fit(FRAME.sample(frac=1, random_state=2), FEATURES)
    np.testing.assert_allclose(other.centres, model.centres, atol=1e-9)
    assert other.profiles == model.profiles


def test_a_name_says_what_sets_a_cluster_apart(model: ClusterModel) -> None:
    names = {
        kind: profile.name
        for kind, label in label_of(model, FRAME).items()
        for profile in model.profiles
        if profile.cluster == label
    }
    assert "frequent" in names["loyal"]
    assert "long away" in names["lost"]
    assert "high spend" in names["whales"]
    assert len(set(names.values())) == 4


def test_a_card_gives_size_share_medians_and_the_features_that_differ_most(model: ClusterModel) -> None:
    lost = next(p for p in model.profiles if p.cluster == label_of(model, FRAME)["lost"])
    members = FRAME[FRAME["kind"] == "lost"]
    assert (lost.customer_count, lost.share) == (150, 0.25)
    assert lost.medians == pytest.approx(members[list(FEATURES)].median().to_dict())
    assert lost.deviations[0].feature == "recency_days"
    assert len(lost.deviations) == 3
    assert lost.description.startswith("150 customers (25%), by medians: recency days 311, everybody 27.14;")


def test_two_clusters_of_like_words_still_have_names_of_their_own() -> None:
    rng = np.random.default_rng(4)
    height = np.repeat([0.0, 10.0, 12.0, -12.0], 60) + rng.normal(0, 0.1, 240)
    frame = pd.DataFrame({"golden_id": [str(number) for number in range(240)], "height": height})
    model = ClusterModel.fit(frame, ["height"], settings=ClusterSettings(4, 4))
    names = [profile.name for profile in model.profiles]
    assert len(set(names)) == 4
    assert sum("high height (cluster_" in name for name in names) == 2


def test_a_pack_may_give_its_own_words() -> None:
    model = ClusterModel.fit(FRAME, FEATURES, words={"frequency": ("film fan", "rare guest")})
    assert any("film fan" in profile.name for profile in model.profiles)
    assert any("high monetary amount" in profile.name for profile in model.profiles)


def test_labels_stay_with_their_groups_when_customers_change(model: ClusterModel) -> None:
    drifted = customers(580, seed=9, kinds=("whales", "lost", "loyal", "loyal", "new"))
    drifted["monetary_amount"] *= 1.1
    anew = ClusterModel.fit(drifted, FEATURES)
    again = ClusterModel.fit(drifted, FEATURES, previous=model)
    assert label_of(again, drifted) == label_of(model, FRAME)
    assert label_of(anew, drifted) != label_of(model, FRAME)  # sizes alone would have renamed them
    assert again.next_number == 5


def test_where_no_groups_stand_apart_customers_still_keep_their_labels() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(1000, 3)), columns=["a", "b", "c"])
    frame["golden_id"] = [f"g{number}" for number in range(1000)]
    first = ClusterModel.fit(frame.head(800), ["a", "b", "c"])
    later = frame.tail(800)
    second = ClusterModel.fit(later, ["a", "b", "c"], previous=first)
    assert (first.score(later)["cluster"] == second.score(later)["cluster"]).mean() > 0.85


def test_a_new_group_gets_a_new_number_and_that_of_a_lost_one_is_not_given_again() -> None:
    three = ClusterModel.fit(customers(kinds=("loyal", "lost", "new")), FEATURES)
    four = ClusterModel.fit(FRAME, FEATURES, previous=three)
    before, now = label_of(three, FRAME[FRAME["kind"] != "whales"]), label_of(four, FRAME)
    assert now == {**before, "whales": "cluster_4"}
    gone = ClusterModel.fit(customers(kinds=("loyal", "new", "whales")), FEATURES, previous=four)
    assert gone.next_number == 5
    back = ClusterModel.fit(FRAME, FEATURES, previous=gone)
    assert label_of(back, FRAME) == {**now, "lost": "cluster_5"}


def test_other_features_are_other_clusters_with_numbers_never_used(model: ClusterModel) -> None:
    other = ClusterModel.fit(FRAME, FEATURES[:2], previous=model)
    assert min(other.numbers) == 5


def test_a_group_that_moved_beyond_its_neighbour_is_another_group() -> None:
    old = np.array([[0.0, 0.0], [1.0, 0.0]])
    kept = keep_numbers(np.array([[1.1, 0.0], [9.0, 0.0]]), old, np.array([1, 2]), np.array([3, 4]))
    assert kept.tolist() in ([2, 4], [1, 4])
    assert keep_numbers(np.array([[0.2, 0.0], [0.9, 0.0]]), old, np.array([7, 8]), np.array([9, 10])).tolist() == [7, 8]


def test_the_k_of_last_time_stays_while_it_is_about_as_good_else_the_smallest_of_equals() -> None:
    even = np.random.default_rng(10).uniform(size=(400, 2))
    settings = ClusterSettings(2, 6)
    free = choose_centres(even, settings, None)
    tied = [k for k, value in free.silhouettes.items() if value >= max(free.silhouettes.values()) - TIE]
    assert tied == [4, 5, 6]
    assert len(free.centres) == 4
    again = choose_centres(even, settings, choose_centres(even, ClusterSettings(6, 6), None).centres)
    assert len(again.centres) == 6
    assert again.reason.startswith("k = 6 of 2 to 6, as last time")
    two = choose_centres(even, ClusterSettings(2, 2), None).centres
    assert free.silhouettes[2] < max(free.silhouettes.values()) - LEAVE
    assert len(choose_centres(even, settings, two).centres) == 4


def test_few_or_equal_customers_are_one_cluster() -> None:
    few = ClusterModel.fit(FRAME.head(20), FEATURES)
    assert (few.form, few.labels) == ("one_cluster", ("everybody",))
    assert few.reason == "20 customers, 20 of them different: clusters need 50 and 3"
    assert (few.profiles[0].name, few.profiles[0].customer_count) == ("average", 20)
    equal = ClusterModel.fit(FRAME.assign(**dict.fromkeys(FEATURES, 1.0)), FEATURES)
    assert equal.form == "one_cluster"
    none = ClusterModel.fit(FRAME.head(0), FEATURES)
    assert none.profiles[0].medians == dict.fromkeys(FEATURES)
    assert set(none.score(FRAME)["cluster"]) == {"everybody"}


def test_groups_keep_their_labels_over_a_week_in_which_everybody_is_one(model: ClusterModel) -> None:
    week = ClusterModel.fit(FRAME.head(20), FEATURES, previous=model)
    assert set(label_of(week, FRAME).values()) == {"everybody"}
    stored = ClusterModel.from_dict(json.loads(json.dumps(week.to_dict())))
    assert label_of(ClusterModel.fit(FRAME, FEATURES, previous=stored), FRAME) == label_of(model, FRAME)


def test_groups_after_one_of_everybody_have_the_first_numbers(model: ClusterModel) -> None:
    none_yet = ClusterModel.from_dict(json.loads(json.dumps(ClusterModel.fit(FRAME.head(20), FEATURES).to_dict())))
    assert label_of(ClusterModel.fit(FRAME, FEATURES, previous=none_yet), FRAME) == label_of(model, FRAME)


def test_clusters_smaller_than_the_least_share_are_refused() -> None:
    frame = pd.concat([customers(300, kinds=("loyal", "lost")), customers(6, kinds=("whales",))], ignore_index=True)
    frame["golden_id"] = [f"g{number}" for number in range(len(frame))]
    model = ClusterModel.fit(frame, FEATURES, settings=ClusterSettings(2, 4, least_share=0.1))
    assert min(profile.share for profile in model.profiles) >= 0.1
    strict = ClusterModel.fit(FRAME, FEATURES, settings=ClusterSettings(5, 6, least_share=0.24))
    assert (strict.form, strict.reason) == (
        "one_cluster",
        "every k leaves a cluster with less than 24% of the customers",
    )


def test_unknown_values_count_as_the_median(model: ClusterModel) -> None:
    holes = FRAME.assign(monetary_amount=FRAME["monetary_amount"].where(FRAME.index % 3 > 0), frequency=np.nan)
    fitted = ClusterModel.fit(holes, FEATURES)
    assert np.isfinite(fitted.centres).all()
    assert fitted.profiles[0].medians["frequency"] is None
    assert model.score(holes)["cluster"].notna().all()


def test_one_enormous_order_makes_no_cluster(model: ClusterModel) -> None:
    odd = pd.concat([FRAME, FRAME.head(1).assign(golden_id="odd", monetary_amount=1e9)], ignore_index=True)
    again = ClusterModel.fit(odd, FEATURES, previous=model)
    assert label_of(again, FRAME) == label_of(model, FRAME)


def test_scaling_goes_there_and_back() -> None:
    raw = FRAME[list(FEATURES)].to_numpy()
    scaling = fit_scaling(raw, FEATURES)
    inside = np.clip(raw, scaling.low, scaling.high)
    np.testing.assert_allclose(scaling.backward(scaling.forward(raw)), inside)
    np.testing.assert_allclose(np.median(scaling.forward(raw), axis=0), 0, atol=0.02)
    assert scaling.is_log.any()


def test_the_json_body_scores_alike(model: ClusterModel) -> None:
    again = ClusterModel.from_dict(json.loads(json.dumps(model.to_dict())))
    pd.testing.assert_frame_equal(again.score(FRAME), model.score(FRAME))
    assert again.profiles == model.profiles
    assert again.silhouettes == model.silhouettes
    assert label_of(ClusterModel.fit(FRAME, FEATURES, previous=again), FRAME) == label_of(model, FRAME)


def test_errors_say_what_to_do(model: ClusterModel) -> None:
    with pytest.raises(ModelError, match=r"the frame lacks \['visits'\]; it has \['frequency'"):
        ClusterModel.fit(FRAME, ["visits"])
    with pytest.raises(ModelError, match=r"\['kind'\] are no numbers"):
        ClusterModel.fit(FRAME, ["kind"])
    with pytest.raises(ModelError, match="Give at least one, and each once"):
        ClusterModel.fit(FRAME, [])
    with pytest.raises(ModelError, match="600 rows repeat a golden_id"):
        ClusterModel.fit(pd.concat([FRAME, FRAME]), FEATURES)
    with pytest.raises(ModelError, match=r"k from 5 to 4: give 2 <= k_min <= k_max; a least share of 0\.9"):
        ClusterSettings(5, 4, least_share=0.9)
    with pytest.raises(ModelError, match=r"lacks \['frequency'\]"):
        model.score(FRAME.drop(columns="frequency"))
    with pytest.raises(ModelError, match=r"body lacks \['centres', 'form'"):
        ClusterModel.from_dict({})
