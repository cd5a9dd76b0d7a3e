"""What models are told of a customer's purchases: one definition for training and for scoring."""

from cdp_lib.contracts.table import Column, text

WINDOWS = (30, 90, 180, 365)
"""Days that purchases are counted and summed over, up to the cut."""

YEAR_DAYS = 365.25
"""Of a yearly rate of discount."""


def _figure(name: str, meaning: str) -> Column:
    return Column(name, "double", meaning)


FEATURES: tuple[Column, ...] = (
    text("golden_id", "The customer.", required=True),
    _figure("frequency", "Purchase days after the first; 0: bought on one day."),
    _figure("recency_days", "Days from the last purchase day to the cut; 0: bought on that day."),
    _figure("tenure_days", "Days from the first purchase day to the cut."),
    _figure("monetary_amount", "Mean spend of the purchase days with spend; null: none."),
    _figure("total_amount", "Net spend in all, refunds subtracted."),
    _figure("first_amount", "Net spend on the first purchase day."),
    *(
        _figure(f"purchase_count_{days}d", f"Purchase days in the {days} days that end with the cut.")
        for days in WINDOWS
    ),
    *(_figure(f"amount_{days}d", f"Net spend in the {days} days up to the cut.") for days in WINDOWS),
    _figure("mean_gap_days", "Mean days between purchase days; null: bought on one day."),
    _figure("largest_gap_days", "Most days between two purchase days in a row; null: bought on one day."),
    _figure("item_count", "Items bought; null: unknown."),
    _figure("previous_recency_days", "Days from the last purchase day but one to the cut; null: bought on one day."),
    _figure("last_item_count", "Items bought on the last purchase day; null: unknown."),
    _figure("repeated_product_count", "Products bought on more than one day up to the cut; null: no products known."),
    _figure("history_days", "Days from anybody's first purchase to the cut: no tenure can be longer."),
)
"""Columns of a row of features, as `transforms/features/purchases.py` makes them and models read them."""

LABELS: tuple[Column, ...] = (
    text("golden_id", "The customer.", required=True),
    _figure("future_purchase_count", "Purchase days in the horizon after the cut."),
    _figure("future_amount", "Net spend in it; 0 without a purchase."),
    _figure("has_purchase", "1: bought in it, 0: did not."),
)
"""What came true after a cut."""
