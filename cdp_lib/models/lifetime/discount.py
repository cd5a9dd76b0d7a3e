"""What later money is worth now."""

from typing import TypeVar

from cdp_lib.contracts.purchases import YEAR_DAYS
from cdp_lib.models.lifetime.maximum_likelihood import Floats

Days = TypeVar("Days", float, Floats)


def present_worth(days: Days, yearly_rate: float) -> Days:
    """Of one unit spent so many days ahead, at a yearly rate of discount (.1: a tenth)."""
    worth: Days = (1 + yearly_rate) ** (-days / YEAR_DAYS)
    return worth
