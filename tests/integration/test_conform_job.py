"""Rows that change at their source: what silver says of them day by day is what it says of all of them at once."""

import io
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from cdp_lib.contracts import silver
from cdp_lib.contracts.table import Table
from cdp_lib.workflow.progress import reporter_for
from cdp_lib.workflow.runner import RunOptions
from jobs.compose import build_suite, job_named, Place, Suite

PACK = """
kind: pack
id: stall
currency: EUR
time_zone: UTC
---
kind: identity
identifiers: []
shared_value_limits: {email: 1}
---
kind: source
id: web
read: {format: csv, path: "web/*.csv"}
key: [id]
columns:
  id: {type: string}
  who: {type: string}
  mailbox: {type: string, pii: email}
  status: {type: string}
  amount: {type: "decimal(18,2)"}
  changed: {type: date}
  yes: {type: string}
feeds:
  - to: order
    where: status = 'paid'
    map:
      order_id: id
      person_id: who
      ordered_at: changed
      paid_amount: amount / if(status = 'paid', 1, 0)
      source_updated_at: date_add(changed, if(status = 'odd', 1 / 0, 0)::int)
  - to: customer_record
    where: status = 'paid' AND who IS NOT NULL
    map: {source_record_id: who, email: mailbox, source_updated_at: changed}
  - to: customer_record
    where: status = 'paid' AND who IS NULL
    map: {source_record_id: mailbox, email: mailbox, source_updated_at: changed}
  - to: consent
    where: yes IS NOT NULL
    map:
      consent_id: id
      person_id: who
      channel: "'email'"
      purpose: "'marketing'"
      status: if(yes = 'yes', 'granted', 'withdrawn')
      decided_at: changed
      source_updated_at: changed
---
kind: source
id: till
read: {format: csv, path: "till/*.csv"}
key: [line]
columns:
  line: {type: string}
  receipt: {type: string}
  who: {type: string}
  amount: {type: "decimal(18,2)"}
  changed: {type: date}
feeds:
  - to: order
    group_by: [receipt]
    where: amount > 0
    map:
      order_id: receipt
      person_id: min(who)
      ordered_at: min(changed)
      paid_amount: sum(amount)
      source_updated_at: max(changed)
  - to: order_line
    map:
      order_id: "'any'"
      line_id: line
      ordered_at: changed
      paid_amount: amount
      source_updated_at: changed
  - to: customer_record
    map: {source_record_id: who, source_updated_at: changed}
"""
Found = set[tuple[Any, ...]]


class Stall:
    """A stall whose files are ingested and conformed."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self._day = 0

    def day(self, **files: Sequence[str]) -> None:
        """The files of a day, by source, and a run."""
        self._day += 1
        self.land(self._day, **files)
        self.run()

    def land(self, day: int, **files: Sequence[str]) -> None:
        for source in self.suite.pack.sources:
            file = Path(self.suite.landing) / source.id / f"{day:02}.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            if files.get(source.id):
                file.write_text("\n".join((",".join(source.columns), *files[source.id], "")))

    def run(self) -> None:
        reporter = reporter_for(Console(file=io.StringIO()))
        self.suite.run(RunOptions("daily"), [job_named("bronze_ingest"), job_named("silver_conform")], reporter)

    def rows(self, table: Table, *columns: str) -> Found:
        found = self.suite.store.read(table).select(*columns or table.content_columns).collect()
        return {tuple(map(str, row)) for row in found}


def opened(spark: SparkSession, folder: Path, documents: str = PACK) -> Stall:
    pack = folder / "stall"
    pack.mkdir(parents=True)
    (pack / "pack.yml").write_text(documents)
    return Stall(build_suite(Place(str(pack), str(folder / "landing"), str(folder / "lake")), lambda: spark))


DESK = """
---
kind: source
id: {name}
read: {{format: csv, path: "{name}/*.csv"}}
key: [id]
columns:
  id: {{type: string}}
  who: {{type: string}}
  mailbox: {{type: string, pii: email}}
  status: {{type: string}}
  changed: {{type: date}}
feeds:
  - to: customer_record
    where: status = 'ok'
    map: {{source_system: "'shop'", source_record_id: who, email: mailbox, source_updated_at: changed}}
"""
"""A desk of a shop that has several; all of them speak of the shop's own customers."""

DAYS = [
    {
        "web": [
            "cancel,ann,ann@x.test,paid,10,2025-01-01,",
            "plain,ben,ben@x.test,paid,20,2025-01-01,",
            "older,cat,old@x.test,paid,10,2025-01-01,",
            "newer,cat,new@x.test,paid,10,2025-01-02,",
            "first,dan,both@x.test,paid,10,2025-01-01,",
            "second,eve,both@x.test,paid,10,2025-01-01,",
            "decided,fay,fay@x.test,paid,10,2025-01-01,no",
        ],
        "till": [
            "l1,r1,gus,5,2025-01-01",
            "l2,r1,gus,7,2025-01-05",
            "l3,r2,hal,1,2025-01-01",
            "l4,r4,ida,5,2025-01-05",
        ],
    },
    {
        "web": [
            "cancel,ann,ann@x.test,cancelled,10,2025-01-02,",
            "newer,cat,new@x.test,cancelled,10,2025-01-03,",
            "second,eve,both@x.test,cancelled,10,2025-01-02,",
            "decided,fay,fay@x.test,paid,10,2025-01-02,",
        ],
        # The later line of r1 goes to another receipt, r2 loses its last, and l4 comes in a version older than known.
        "till": ["l2,r3,gus,7,2025-01-06", "l3,r2,hal,0,2025-01-02", "l4,r4,ida,4,2025-01-03"],
    },
    # A file that was late: what it says is older than the cancellation.
    {"web": ["cancel,ann,ann@x.test,paid,11,2025-01-01,"]},
    {"web": ["cancel,ann,ann@x.test,paid,12,2025-01-03,", "decided,fay,fay@x.test,paid,10,2025-01-03,yes"]},
]
ORDERS, PEOPLE = (silver.ORDER, "order_id", "paid_amount"), (silver.CUSTOMER_RECORD, "source_record_id", "email")
CONSENTS, LINES = (silver.CONSENT, "consent_id", "status"), (silver.ORDER_LINE, "line_id", "paid_amount")
Asked = tuple[Table, str, str]
Told = Callable[[Asked, str], list[str | None]]


@pytest.fixture(scope="module")
def told(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """What a table said of a key at the end of each of the DAYS; None: nothing."""
    stall = opened(spark, tmp_path_factory.mktemp("stall"))
    seen: list[dict[Asked, dict[str, str]]] = []
    for day in DAYS:
        stall.day(**day)
        seen.append({table: dict(stall.rows(*table)) for table in (ORDERS, PEOPLE, CONSENTS, LINES)})
    return lambda table, key: [day[table].get(key) for day in seen]


def test_an_order_that_is_cancelled_leaves_and_comes_back(told: Told) -> None:
    assert told(ORDERS, "cancel") == ["10.00", None, None, "12.00"]
    assert told(PEOPLE, "ann") == ["ann@x.test", None, None, "ann@x.test"]
    assert told(ORDERS, "plain") == ["20.00"] * 4
    assert told(PEOPLE, "ben") == ["ben@x.test"] * 4


def test_what_another_row_says_of_the_key_stands_though_it_is_older(told: Told) -> None:
    assert told(PEOPLE, "cat") == ["new@x.test", *["old@x.test"] * 3]


def test_a_value_is_shared_no_more_when_its_second_holder_leaves(told: Told) -> None:
    assert told(PEOPLE, "dan") == ["None", *["both@x.test"] * 3]
    assert told(PEOPLE, "eve") == ["None", None, None, None]


def test_a_consent_stands_until_another_decision_is_made(told: Told) -> None:
    assert told(CONSENTS, "decided") == ["withdrawn", "withdrawn", "withdrawn", "granted"]


def test_a_receipt_leaves_with_its_last_line_and_takes_a_correction_that_is_older(told: Told) -> None:
    assert told(ORDERS, "r1") == ["12.00", "5.00", "5.00", "5.00"]
    assert told(ORDERS, "r3") == [None, "7.00", "7.00", "7.00"]
    assert told(ORDERS, "r2") == ["1.00", None, None, None]


def test_receipts_and_lines_go_by_the_same_version(told: Told) -> None:
    assert told(ORDERS, "r4") == told(LINES, "l4") == ["5.00"] * 4


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_day_by_day_is_all_at_once(spark: SparkSession, tmp_path: Path, seed: int, planned_anew: None) -> None:
    draw = random.Random(seed)
    days = [{"web": [_web(draw) for _ in range(6)], "till": [_till(draw) for _ in range(6)]} for _ in range(5)]
    daily, whole = opened(spark, tmp_path / "daily"), opened(spark, tmp_path / "whole")
    for number, files in enumerate(days, start=1):
        daily.day(**files)
        whole.land(number, **files)
    whole.run()
    for table in (silver.ORDER, silver.ORDER_LINE, silver.CUSTOMER_RECORD, silver.CONSENT):
        assert daily.rows(table) == whole.rows(table), table.name


def _web(draw: random.Random) -> str:
    number, who, mailbox = draw.randint(1, 5), draw.choice(["ann", "ben", "cat", ""]), draw.choice("abc")
    status, consent = draw.choice(["paid", "paid", "cancelled", "odd"]), draw.choice(["yes", "no", "", ""])
    return f"{number},{who},{mailbox}@x.test,{status},{draw.randint(1, 99)},2025-01-{draw.randint(1, 20):02},{consent}"


def _till(draw: random.Random) -> str:
    who, amount = draw.choice(["ann", "ben", "cat"]), draw.choice([0, 3, 5, 8])
    return f"l{draw.randint(1, 5)},r{draw.randint(1, 3)},{who},{amount},2025-01-{draw.randint(1, 20):02}"


@pytest.mark.slow
def test_what_another_source_says_of_the_same_customer_stands(spark: SparkSession, tmp_path: Path) -> None:
    desks = "kind: pack\nid: shop\ncurrency: EUR\ntime_zone: UTC\n---\nkind: identity\nidentifiers: []\n"
    shop = opened(spark, tmp_path, desks + DESK.format(name="front") + DESK.format(name="back"))
    stays = ("zoe", "z@x.test")
    shop.day(
        front=["1,ann,f@x.test,ok,2025-01-01", "2,zoe,z@x.test,ok,2025-01-01"], back=["1,ann,b@x.test,ok,2025-01-02"]
    )
    assert shop.rows(*PEOPLE) == {("ann", "b@x.test"), stays}
    shop.day(back=["1,ann,b@x.test,gone,2025-01-03"])
    assert shop.rows(*PEOPLE) == {("ann", "f@x.test"), stays}
    shop.day(front=["1,ann,f@x.test,gone,2025-01-04"])
    assert shop.rows(*PEOPLE) == {stays}
