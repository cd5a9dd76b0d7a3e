"""Aggregates over all customers are found in an expression, and leave a column in their place."""

import pytest

from cdp_lib.settings.of_all import aggregates_of_all, OfAll


@pytest.mark.parametrize(
    ("text", "left", "found"),
    [
        ("a  +  1", "a  +  1", ()),
        ("avg(a) OVER ()", "`t_0`", (OfAll("t_0", "AVG(a)", ()),)),
        ("a / max(b) OVER (PARTITION BY c, d)", "a / `t_0`", (OfAll("t_0", "MAX(b)", ("c", "d")),)),
        ("rank() OVER (PARTITION BY c ORDER BY a)", "rank() OVER (PARTITION BY c ORDER BY a)", ()),
        (
            "sum(a) OVER (PARTITION BY c ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
            "sum(a) OVER (PARTITION BY c ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
            (),
        ),
        (
            "count(*) OVER () + sum(a) OVER (PARTITION BY lower(b))",
            "`t_0` + `t_1`",
            (OfAll("t_0", "COUNT(*)", ()), OfAll("t_1", "SUM(a)", ("LOWER(b)",))),
        ),
    ],
)
def test_what_is_of_whole_groups_is_parted_from_what_is_of_one(text: str, left: str, found: tuple[OfAll, ...]) -> None:
    assert aggregates_of_all(text, "t") == (left, found)
