"""The gate is no decoration: without one generated expectation a bad row is published, with it the run stops."""

from dataclasses import replace

import pytest

from cdp_lib.contracts import ops, silver
from cdp_lib.contracts.table import Table
from cdp_lib.errors import QualityError
from quality.suites import suite_for
from quality.verdict import Check
from tests.e2e.conftest import Shop
from tests.e2e.library import put_loans, write_first_day

pytestmark = pytest.mark.slow

NEGATIVE_COUNT = "item_count_check"


def without_item_count(table: Table) -> tuple[Check, ...]:
    return tuple(check for check in suite_for(table) if "item_count" not in check.columns)


def seeded(shop: Shop) -> Shop:
    """The library that makes orders of groups of loans, and counts their items below zero: no row alone shows it."""
    source = shop.suite.pack.source("loans")
    mapped = source.feeds[0].map.items()
    grouped = {name: text if text == "loan_id" else f"max_by({text}, lent_at)" for name, text in mapped}
    changed = {"group_by": ("loan_id",), "map": {**grouped, "item_count": "-count(*)"}}
    feed = source.feeds[0].model_copy(update=changed)
    bad = source.model_copy(update={"feeds": (feed, *source.feeds[1:])})
    sources = tuple(bad if one.id == "loans" else one for one in shop.suite.pack.sources)
    return replace(shop, suite=replace(shop.suite, pack=replace(shop.suite.pack, sources=sources)))


def test_a_failing_check_stops_the_run_and_the_last_good_table_stays(library: Shop) -> None:
    write_first_day(library.landing)
    library.run()
    before = library.everything()
    put_loans(library.landing / "desk/loans-0304.jsonl.gz", [("L2", "P1", "maps", "2025-03-04T09:00:00Z", "0.50")])
    with pytest.raises(QualityError, match=r"(?s)silver\.order was not published.*item_count"):
        seeded(library).run()
    after = library.everything()
    assert after["silver.order"] == before["silver.order"]
    assert after["gold.customer"] == before["gold.customer"]
    failed = [
        row
        for row in library.suite.ledger.rows(ops.QUALITY_RESULT)
        if not row["success"] and row["severity"] == "error"
    ]
    assert {row["table_name"] for row in failed} == {"silver.order"}


def test_without_the_generated_expectation_the_bad_row_is_published(library: Shop) -> None:
    write_first_day(library.landing)
    shop = seeded(library)
    blind = replace(shop.suite, checks=without_item_count)
    unchecked = replace(silver.ORDER, columns=tuple(replace(one, check=None) for one in silver.ORDER.columns))
    # Delta's own CHECK is a second fence: the table is declared without it, so that only the gate stands between.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(silver.ENTITIES, "order", unchecked)
        replace(shop, suite=blind).run(only=("bronze_ingest", "silver_conform"))
    counts = [row.item_count for row in shop.suite.store.read(unchecked).collect()]
    assert counts == [-1]
