"""From how many bits a pair is one person: by expected wrong links, or by people's judgement."""

import numpy as np
import pyarrow as pa

from cdp_lib.models.identity.threshold import choose_threshold, ENOUGH_LABELS


def test_the_threshold_is_the_lowest_weight_with_few_enough_wrong_pairs_expected():
    bins = pa.table(
        {"match_weight": [12.0, 6.0, 3.0, 1.0], "pair_count": [900, 80, 20, 100], "false_pairs": [0.2, 1.5, 4.0, 40.0]}
    )

    assert choose_threshold(bins, 0.01).bits == 3.0
    assert choose_threshold(bins, 0.002).bits == 6.0


def test_more_strangers_ask_for_more_bits():
    few = pa.table({"match_weight": [12.0, 6.0, 3.0], "pair_count": [900, 80, 20], "false_pairs": [0.2, 1.5, 4.0]})
    many = pa.table({"match_weight": [12.0, 6.0, 3.0], "pair_count": [900, 95, 60], "false_pairs": [0.9, 15.0, 44.0]})

    assert choose_threshold(few, 0.01).bits < choose_threshold(many, 0.01).bits


def test_no_pair_is_linked_that_is_likelier_two_people():
    bins = pa.table({"match_weight": [9.0, -4.0], "pair_count": [10_000, 5], "false_pairs": [1.0, 4.7]})

    assert choose_threshold(bins, 0.05).bits == 0.0


def test_no_threshold_is_good_enough_when_all_pairs_are_doubtful():
    bins = pa.table({"match_weight": [1.0], "pair_count": [10], "false_pairs": [4.0]})

    assert choose_threshold(bins, 0.01).bits == float("inf")


def judged(fifty_fifty_at: float, count: int) -> pa.Table:
    """Verdicts of people who call a pair one person the likelier the more it weighs."""
    weight = np.linspace(-10, 20, count)
    is_link = np.random.default_rng(1).random(count) < 1 / (1 + np.exp2(fifty_fifty_at - weight))
    return pa.table({"match_weight": weight, "is_link": is_link})


BINS = pa.table(
    {
        "match_weight": [float(bits) for bits in range(-10, 20)],
        "pair_count": [100] * 30,
        "false_pairs": [100 / (1 + 2.0**bits) for bits in range(-10, 20)],
    }
)


def test_people_who_are_stricter_than_the_model_raise_the_threshold():
    by_model = choose_threshold(BINS, 0.02)
    by_people = choose_threshold(BINS, 0.02, judged(6.0, 2_000))

    assert by_people.bits >= by_model.bits + 4
    assert "judged one person" in by_people.reason
    assert "what the model expects" in by_model.reason


def test_people_may_lower_the_threshold_below_zero():
    assert choose_threshold(BINS, 0.02, judged(-8.0, 2_000)).bits < 0


def test_too_few_verdicts_of_one_kind_change_nothing():
    links = pa.table({"match_weight": [5.0] * 100, "is_link": [True] * 100})
    few = pa.concat_tables(
        [links, pa.table({"match_weight": [1.0] * (ENOUGH_LABELS - 1), "is_link": [False] * (ENOUGH_LABELS - 1)})]
    )

    assert choose_threshold(BINS, 0.02, few) == choose_threshold(BINS, 0.02)


def test_verdicts_that_contradict_the_weights_are_not_believed():
    upside_down = judged(0.0, 2_000)
    upside_down = pa.table(
        {"match_weight": [-bits for bits in upside_down["match_weight"].to_pylist()], "is_link": upside_down["is_link"]}
    )

    assert choose_threshold(BINS, 0.02, upside_down) == choose_threshold(BINS, 0.02)
