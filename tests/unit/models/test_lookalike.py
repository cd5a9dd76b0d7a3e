"""A lookalike model finds planted twins, whatever the order of rows, units and gaps."""

import numpy as np
import pandas as pd
import pytest

from cdp_lib.errors import ModelError
from cdp_lib.models.lookalike import LookalikeModel

FEATURES = ("order_count", "spend", "rating")


def crowd(seed: int = 3, others: int = 600, twins: int = 60) -> pd.DataFrame:
    """Seeds and their twins spend much and seldom rate; the others spend little; a third of all ratings are unknown."""
    draw = np.random.default_rng(seed)
    size = others + 2 * twins
    is_alike = np.arange(size) < 2 * twins
    rating = np.where(draw.random(size) < np.where(is_alike, 0.7, 0.3), np.nan, draw.uniform(1, 5, size))
    return pd.DataFrame(
        {
            "golden_id": [f"g{place:04}" for place in range(size)],
            "is_seed": np.arange(size) < twins,
            "is_twin": is_alike & (np.arange(size) >= twins),
            "order_count": draw.poisson(np.where(is_alike, 9, 4)),
            "spend": draw.lognormal(np.where(is_alike, 6.0, 3.0), 0.8),
            "rating": rating,
        }
    )


def fitted(rows: pd.DataFrame) -> LookalikeModel:
    """Twins are what is looked for: the model does not see them."""
    return LookalikeModel.fit(rows[~rows["is_twin"]], FEATURES)


def test_planted_twins_are_found() -> None:
    rows = crowd()
    scored = fitted(rows).score(rows).merge(rows, on="golden_id")
    best = scored[~scored["is_seed"]].sort_values(["score", "golden_id"], ascending=[False, True]).head(60)
    assert best["is_twin"].mean() > 0.9
    assert scored["score"].between(0, 1).all()


def test_order_of_rows_and_batches_change_nothing() -> None:
    rows = crowd()
    mixed = rows.sample(frac=1, random_state=1)
    model = fitted(rows)
    assert fitted(mixed) == model
    parts = pd.concat([model.score(rows.iloc[:7]), model.score(rows.iloc[7:])], ignore_index=True)
    pd.testing.assert_frame_equal(parts, model.score(rows))


def test_figures_without_value_or_spread_weigh_nothing_and_strange_ones_still_score() -> None:
    rows = crowd().assign(nothing=None, same=5)
    model = LookalikeModel.fit(rows[~rows["is_twin"]], ("spend", "nothing", "same"))
    strange = rows.head(3).assign(spend=[-5.0, np.nan, 1e300])
    assert model.score(strange)["score"].notna().all()
    assert (model.weights[1][0], model.weights[2]) == (0.0, (0.0, 0.0))


@pytest.mark.parametrize("is_seed", [True, False])
def test_one_side_alone_teaches_nothing(is_seed: bool) -> None:
    with pytest.raises(ModelError, match="members of the seed audience and others"):
        LookalikeModel.fit(crowd().assign(is_seed=is_seed), FEATURES)
