"""A shop whose customers are known: orders are published as silver.order, and the scoring jobs are run on them."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, UTC
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from rich.console import Console

from cdp_lib.contracts import activation, gold, identity, silver
from cdp_lib.contracts.table import Table
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.store import Stamp
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.workflow.progress import reporter_for
from cdp_lib.workflow.runner import RunOptions, RunReport
from jobs.compose import build_suite, job_named, Place, Suite
from tests.builders import rows, SOME_INSTANT

FIRST_DAY = date(2024, 1, 1)
PRODUCTS = ("bread", "butter", "jam", "kettle")
_PACK = """
kind: pack
id: {name}
currency: EUR
time_zone: UTC
"""
_SOURCES = """
kind: source
id: till
read: {format: csv, path: "till/*.csv"}
key: [id]
columns:
  id: {type: string}
  at: {type: timestamp, format: yyyy-MM-dd}
  paid: {type: "decimal(18,2)"}
feeds:
  - {to: order, map: {order_id: id, ordered_at: at, paid_amount: paid, person_id: id, source_updated_at: at}}
  - {to: order_line, map: {order_id: id, line_id: id, ordered_at: at, paid_amount: paid, source_updated_at: at}}
  - {to: event, map: {event_id: id, event_at: at, event_type: "'app_open'", source_updated_at: at}}
  - {to: customer_record, map: {source_record_id: id, source_updated_at: at}}
"""


@dataclass(frozen=True)
class Purchase:
    """A customer's order of some products on a day."""

    customer: str
    day: date
    amount: str
    products: tuple[str, ...] = ("bread",)


@dataclass(frozen=True)
class Shop:
    """A suite of which only scoring jobs are run."""

    suite: Suite

    def publish(self, purchases: Sequence[Purchase], number: int = 1) -> None:
        """The orders, their lines, and everybody who placed one as a customer; `number` rises with every call."""
        customers = sorted({one.customer for one in purchases})
        orders = [_order(one, place, number) for place, one in enumerate(purchases)]
        self._write(silver.ORDER, orders, number)
        self._write(
            silver.ORDER_LINE,
            [line for one, order in zip(purchases, orders, strict=True) for line in _lines(one, order)],
            number,
        )
        self._write(silver.PRODUCT, [_product(name, number) for name in PRODUCTS], number)
        links = [{"source_system": "till", "source_record_id": one, "golden_id": one} for one in customers]
        self._write(identity.IDENTITY_LINK, links, number)
        self._write(identity.GOLDEN_RECORD, [{"golden_id": one} for one in customers], number)
        totals = [{"golden_id": one, "total_amount": "0.00", "order_count": 1, "record_count": 1} for one in customers]
        self._write(gold.customer(self.suite.pack), totals, number)

    def look_in(self, customer: str, day: date, number: int = 1) -> None:
        """A customer opens the app on a day, and buys nothing; `number` rises with every call."""
        at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        opened = {"event_id": f"e{number}", "person_id": customer, "event_at": at, "event_type": "app_open"}
        self._write(silver.EVENT, [{**opened, "source_system": "till", "source_updated_at": at}], number)

    def merge(self, customer: str, into: str, number: int = 2) -> None:
        """Two customers turn out to be one; `number` rises with every call."""
        link = {"source_system": "till", "source_record_id": customer, "golden_id": into}
        self._write(identity.IDENTITY_LINK, [link], number)
        told = {"event_type": "merge", "golden_id": customer, "into_golden_id": into}
        self._write(identity.IDENTITY_EVENT, [told], number)

    def split(self, customer: str, into: str, number: int = 3) -> None:
        """Whoever was taken for this customer turns out to be somebody new; `number` rises with every call."""
        link = {"source_system": "till", "source_record_id": customer, "golden_id": into}
        self._write(identity.IDENTITY_LINK, [link], number)
        self._write(identity.IDENTITY_EVENT, [{"event_type": "split", "golden_id": customer}], number)

    def agree(self, *customers: str) -> None:
        """They say yes to marketing by e-mail."""
        said = {"source_system": "till", "purpose": "marketing", "channel": "email", "status": "granted"}
        at = {"decided_at": SOME_INSTANT, "source_updated_at": SOME_INSTANT}
        self._write(silver.CONSENT, [{**said, **at, "consent_id": who, "person_id": who} for who in customers], 1)

    def suppress(self, *customers: str) -> None:
        """They unsubscribe from mailings."""
        self._write(activation.SUPPRESSION, [{"golden_id": who, "channel": "email"} for who in customers], 1)

    def run(self, *jobs: str, as_of: date | None = None) -> RunReport:
        """One run of the jobs, in the order given."""
        reporter = reporter_for(Console(file=io.StringIO()))
        options = RunOptions("daily", as_of=as_of)
        return self.suite.run(options, [job_named(name) for name in jobs], reporter)[-1]

    def table(self, table: Table) -> DataFrame:
        """A table as it is."""
        return self.suite.store.read(table)

    def collected(self, table: Table) -> list[dict[str, Any]]:
        """Its rows, lineage left out, in order of the key."""
        frame = self.table(table).select(*table.content_columns).orderBy(*table.key)
        return [row.asDict(recursive=True) for row in frame.collect()]

    def _write(self, table: Table, given: Iterable[Mapping[str, Any]], number: int) -> None:
        frame = rows(self.suite.session(), table, *given)
        named = [name for name in frame.columns if name not in ("_run_id", "_record_hash")]
        fitted = fit_to_table(frame.select(*named), table, run_id=f"given-{number}")
        with self.suite.store.batch(table, fitted) as batch:
            self.suite.store.write(batch, Stamp("given", f"given-{number}", number))


def shop(spark: SparkSession, pack: Path, lake: Path, mlflow: MlflowSettings, documents: str) -> Shop:
    """A shop with these documents of models and segmentations; one opened again in its lakehouse has its models."""
    pack.mkdir(parents=True, exist_ok=True)
    (pack / "pack.yml").write_text(_PACK.format(name=pack.name))
    (pack / "sources.yml").write_text(_SOURCES)
    (pack / "models.yml").write_text(documents)
    suite = build_suite(Place(str(pack), str(pack / "landing"), str(lake)), lambda: spark)
    return Shop(replace(suite, settings=suite.settings.model_copy(update={"mlflow": mlflow})))


def regulars(customers: int = 150, days: int = 400, seed: int = 7) -> list[Purchase]:
    """People who buy at rates of their own and at some day leave: what BG/NBD supposes."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(customers):
        day, rate, spend = float(draw.integers(0, days // 2)), draw.gamma(1.0, 0.04), draw.gamma(6, 5) + 1
        basket = PRODUCTS[:3] if number % 3 else ("bread", "kettle")
        while day < days:
            amount = f"{max(draw.normal(spend, spend / 4), 0.5):.2f}"
            found.append(Purchase(f"c{number:03}", FIRST_DAY + timedelta(days=int(day)), amount, basket))
            if draw.random() < 0.08:
                break
            day += 1 + draw.exponential(1 / max(rate, 1e-3))
    return found


def clockwork(customers: int, first: int, last: int, letter: str = "c") -> list[Purchase]:
    """People who spend 10.00 every ten days from one day of the shop to another."""
    return [
        Purchase(f"{letter}{number:03}", FIRST_DAY + timedelta(days=day), "10.00")
        for number in range(customers)
        for day in range(first + number % 10, last + 1, 10)
    ]


def _order(one: Purchase, place: int, number: int) -> dict[str, Any]:
    at = datetime(one.day.year, one.day.month, one.day.day, 12, tzinfo=UTC)
    return {
        "source_system": "till",
        "order_id": f"{number}-{place}",
        "person_id": one.customer,
        "ordered_at": at,
        "paid_amount": one.amount,
        "channel": "store",
        "source_updated_at": at,
    }


def _lines(one: Purchase, order: Mapping[str, Any]) -> list[dict[str, Any]]:
    shared = {
        name: order[name] for name in ("source_system", "order_id", "person_id", "ordered_at", "source_updated_at")
    }
    return [
        {**shared, "line_id": product, "product_id": product, "quantity": "1.000", "paid_amount": "1.00"}
        for product in one.products
    ]


def _product(name: str, number: int) -> dict[str, Any]:
    return {
        "source_system": "till",
        "product_id": name,
        "category": "tools" if name == "kettle" else "food",
        "is_durable": name == "kettle",
        "price_amount": "10.00",
        "source_updated_at": datetime(2024, 1, number, tzinfo=UTC),
    }
