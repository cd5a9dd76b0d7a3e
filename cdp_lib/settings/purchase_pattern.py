"""Kind `purchase_pattern`: how often a pattern must be seen before it is told.

Every number has a default; a pack without this kind has none of it.
"""

from typing import Literal

from pydantic import Field

from cdp_lib.settings.kind import Frozen


class PurchasePattern(Frozen):
    """What `gold.purchase_pattern` is made by."""

    kind: Literal["purchase_pattern"] = "purchase_pattern"
    min_support_count: int = Field(
        default=10, ge=1, description="Baskets with both sides of a rule, or people of a migration, at least"
    )
    max_basket_products: int = Field(
        default=100,
        ge=2,
        description="Rules leave out baskets with more distinct products, and count them: pairs grow squared",
    )
    rules_per_subject: int = Field(default=50, ge=1, description="Rules kept for each subject, of the greatest lift")
    migration_days: int = Field(
        default=90, ge=1, description="Length of each of the two periods between which people move"
    )
