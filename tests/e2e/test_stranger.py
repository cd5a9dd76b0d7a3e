"""A sixth business in YAML alone: files in, single view out, day by day, every row accounted for."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from cdp_lib.contracts import bronze, gold, ops
from tests.e2e.conftest import Shop
from tests.e2e.library import write_first_day, write_second_day, write_third_day

VIEW = (
    "first_name",
    "email",
    "order_count",
    "total_amount",
    "loans_2d",
    "favourite_shelf",
    "pages_read",
    "fee_per_loan",
)


@pytest.mark.slow
def test_the_first_day_of_a_strangers_library_and_a_second_run_with_nothing_new(library: Shop) -> None:
    write_first_day(library.landing)
    first = library.run()
    assert first.as_of == date(2025, 3, 3)
    assert library.accounts(first.run_id) == {
        "registry/patrons_0303.csv": (4, 2, 2, 0),
        "desk/loans-0303.jsonl.gz": (1, 1, 0, 0),
        "web/03/a.parquet": (1, 1, 0, 0),
    }
    assert library.customers(*VIEW) == [
        ("Ana", "ana.sousa@example.org", 1, Decimal("1.50"), 1, "poetry", 3.0, Decimal("1.50")),
        ("Rui", None, 0, Decimal("0.00"), 0, None, None, None),
    ]
    before = library.versions()
    again = library.run()
    assert again.changed_nothing
    assert {outcome.status for outcome in again.outcomes} == {"nothing new"}
    assert library.versions() == before


@pytest.mark.slow
def test_three_days_give_the_same_single_view_one_by_one_and_all_at_once(new_library: Callable[[str], Shop]) -> None:
    by_day, at_once = new_library("by_day"), new_library("at_once")
    for write in (write_first_day, write_second_day, write_third_day):
        write(at_once.landing)
    at_once.run()

    write_first_day(by_day.landing)
    by_day.run()
    write_second_day(by_day.landing)
    second = by_day.run()
    assert by_day.accounts(second.run_id) == {
        "registry/patrons_0304.csv": (2, 1, 0, 1),
        "desk/loans-0304.jsonl.gz": (3, 2, 1, 0),
    }
    refused = [row for row in by_day.suite.ledger.rows(ops.SOURCE_FILE) if row["status"] == "refused"]
    assert [row["path"] for row in refused] == ["desk/loans-0304b.jsonl.gz"]
    write_third_day(by_day.landing)
    third = by_day.run()
    statuses = {
        row["path"]: row["status"] for row in by_day.suite.ledger.rows(ops.SOURCE_FILE) if row["run_id"] == third.run_id
    }
    assert statuses["desk/loans-0303-again.jsonl.gz"] == "resent"
    assert third.as_of == date(2025, 3, 6)
    # Rui's loan of 4 March, 23:30 UTC, is of the 4th in Lisbon's winter too: outside the two days that end on the 6th.
    assert by_day.customers(*VIEW) == [
        ("Ana", "ana.sousa@example.org", 3, Decimal("3.00"), 1, "poetry", 3.0, Decimal("1.00")),
        ("Rui", "rui@example.org", 2, Decimal("3.00"), 0, "maps", 2.0, Decimal("1.50")),
    ]
    # Whose record founded a golden_id depends on who came first.
    columns = [name for name in gold.customer(by_day.suite.pack).content_columns if name != "golden_id"]
    assert by_day.customers(*columns) == at_once.customers(*columns)


@pytest.mark.slow
def test_a_fixed_contract_brings_quarantined_rows_through_to_the_single_view(library: Shop) -> None:
    write_first_day(library.landing)
    write_second_day(library.landing)
    library.run()
    assert open_rules(library) == [["fee: fee >= 0"]]
    mended = with_refunds(library)
    replayed = mended.run(workflow="replay")
    assert mended.accounts(replayed.run_id) == {"quarantine": (1, 1, 0, 0)}
    assert open_rules(mended) == []
    assert ("Rui", 2, Decimal("0.00")) in mended.customers("first_name", "order_count", "total_amount")
    assert mended.run(workflow="replay").changed_nothing


def with_refunds(shop: Shop) -> Shop:
    """The library after its people learnt that a negative fee is a refund."""
    loans = shop.suite.pack.source("loans")
    fee = loans.columns["fee"].model_copy(update={"expect": ()})
    mended = loans.model_copy(update={"columns": {**loans.columns, "fee": fee}})
    sources = tuple(mended if one.id == "loans" else one for one in shop.suite.pack.sources)
    return replace(shop, suite=replace(shop.suite, pack=replace(shop.suite.pack, sources=sources)))


def open_rules(shop: Shop) -> list[list[str]]:
    """What the loans that wait in quarantine broke."""
    table = bronze.quarantine(shop.suite.pack.source("loans"))
    return [list(row.rules) for row in shop.suite.store.read(table).where("status = 'open'").collect()]
