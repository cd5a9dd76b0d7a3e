"""A name for an intermediate answer inside one Column expression."""

from collections.abc import Callable

from pyspark.sql import Column, functions as F


def once(column: Column, use: Callable[[Column], Column]) -> Column:
    """What `use` makes of a column that Spark works out once, however often `use` mentions it; nulls included.

    A Column is a tree: an answer mentioned five times stands in it five times, and a few such steps on each other make
    a plan that takes longer to compile than many rows to clean. A lambda's variable is one leaf. Neither Python UDFs
    nor `java_method` may stand in `use`.
    """
    return F.transform(F.array(column), use)[0]
