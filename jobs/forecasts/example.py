"""Made-up customers whose features show what a model takes: nobody's data."""

import pandas as pd

from cdp_lib.contracts.purchases import FEATURES

_ROWS = {
    "golden_id": ["bought once", "comes often", "stayed away"],
    "frequency": [0, 24, 5],
    "recency_days": [20, 6, 260],
    "tenure_days": [20, 350, 400],
    "monetary_amount": [35.0, 22.0, 60.0],
    "total_amount": [35.0, 550.0, 360.0],
    "first_amount": [35.0, 18.0, 75.0],
    "purchase_count_30d": [1, 2, 0],
    "purchase_count_90d": [1, 6, 0],
    "purchase_count_180d": [1, 12, 0],
    "purchase_count_365d": [1, 25, 4],
    "amount_30d": [35.0, 44.0, 0.0],
    "amount_90d": [35.0, 132.0, 0.0],
    "amount_180d": [35.0, 264.0, 0.0],
    "amount_365d": [35.0, 550.0, 240.0],
    "mean_gap_days": [None, 14.3, 28.0],
    "largest_gap_days": [None, 40, 60],
    "item_count": [2, 40, 14],
    "previous_recency_days": [None, 20, 280],
    "last_item_count": [2, 1, 3],
    "repeated_product_count": [0, 5, 1],
    "history_days": [420, 420, 420],
}


def example_features() -> pd.DataFrame:
    """Three rows of features: one purchase, a regular, a lapsed customer."""
    frame = pd.DataFrame(_ROWS)
    return frame.astype({column.name: "float64" for column in FEATURES[1:]})
