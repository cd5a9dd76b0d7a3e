"""A shop that texts its customers and keeps a list at an advertising network, both on loopback."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, UTC
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import SparkSession
from rich.console import Console

from cdp_lib.connectors.kit import meta_audience, sms
from cdp_lib.connectors.kit.bench import Bench
from cdp_lib.connectors.kit.server import LoopbackServer
from cdp_lib.contracts import activation, gold, identity, silver
from cdp_lib.contracts.table import Table
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.store import Stamp
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.workflow.progress import reporter_for
from cdp_lib.workflow.runner import RunOptions
from cdp_lib.workflow.services import Sending
from jobs.compose import job_named, Suite
from tests.builders import rows
from tests.integration.shop import shop

JOBS = ("silver_suppression", "gold_audience", "activate")
DAY = date(2025, 1, 31)
NOON = datetime(2025, 2, 1, 12, tzinfo=UTC)
RULES = """
kind: audience
id: everybody
where: {trait: order_count, gte: 1}
---
kind: message
id: greeting
texts:
  en: {text: "Hello {{ customer.first_name }}: {{ offer.title }}, {{ offer.code }}"}
---
kind: offer
id: treat
title: A treat
code: {prefix: T-}
---
kind: activation
id: greet
audience: everybody
destination: texts
message: greeting
offer: treat
holdout_share: 0
---
kind: activation
id: follow
audience: everybody
destination: network
needs_consent: false
holdout_share: 0
---
"""


@dataclass
class Mailing:
    """The shop, and what its channels took."""

    suite: Suite
    texts: LoopbackServer
    network: LoopbackServer
    number: int = 0

    def publish(self, people: Mapping[str, Mapping[str, Any]], refusing: Sequence[str] = ()) -> None:
        """Exactly these people, all of whom agreed but those who refuse."""
        self.number += 1
        view = [
            {"golden_id": one, "record_count": 1, "order_count": 1, "total_amount": "1.00", **more}
            for one, more in people.items()
        ]
        self.write(gold.customer(self.suite.pack), view)
        links = [{"source_system": "till", "source_record_id": one, "golden_id": one} for one in people]
        self.write(identity.IDENTITY_LINK, links)
        self.write(silver.CONSENT, [_consent(one, one not in refusing) for one in people])

    def write(self, table: Table, given: list[dict[str, Any]]) -> None:
        """Publish rows of a table."""
        frame = rows(self.suite.session(), table, *given)
        kept = [name for name in frame.columns if name not in ("_run_id", "_record_hash")]
        fitted = fit_to_table(frame.select(*kept), table, run_id=f"given-{self.number}")
        with self.suite.store.batch(table, fitted) as batch:
            self.suite.store.write(batch, Stamp("given", f"given-{self.number}", self.number))

    def run(self, *, sends: bool, resume: bool = False, at: datetime = NOON, day: date = DAY) -> None:
        """One run of the activation's jobs, at that moment, as of that day."""
        options = RunOptions("activation", None if resume else day, resume=resume, retries=0)
        sending = Sending(is_on=sends, at=at)
        self.suite.run(options, [job_named(name) for name in JOBS], reporter_for(Console(file=io.StringIO())), sending)

    @property
    def texted(self) -> Counter[str]:
        """How often each number was texted."""
        return Counter(whom for _, whom in self.texts.fake.taken)

    def statuses(self, name: str) -> Counter[str]:
        """States in the ledger, planned and sent ones too."""
        states = self.suite.ledger.rows(activation.DELIVERY)
        return Counter(row["status"] for row in states if row["activation_id"] == name)

    def states(self) -> list[dict[str, Any]]:
        """The ledger of intents."""
        return self.suite.ledger.rows(activation.DELIVERY)


def mailing(
    spark: SparkSession, folder: Path, mlflow: MlflowSettings, servers: tuple[LoopbackServer, LoopbackServer]
) -> tuple[Mailing, dict[str, str]]:
    """The shop below `folder`, and the environment that holds its secrets."""
    texts, network = servers
    channels = {"texts": (sms.BENCH, texts), "network": (meta_audience.BENCH, network)}
    suite, secrets = shop_with(spark, folder, mlflow, RULES, channels)
    return Mailing(sending_in_fours(suite), texts, network), secrets


def shop_with(
    spark: SparkSession,
    folder: Path,
    mlflow: MlflowSettings,
    rules: str,
    channels: Mapping[str, tuple[Bench, LoopbackServer]],
) -> tuple[Suite, dict[str, str]]:
    """A shop below `folder` with these documents and destinations, and the environment that holds their secrets."""
    secrets: dict[str, str] = {}
    destinations = [
        destination(name, bench.kind.name, bench.settings(server.url), secrets)
        for name, (bench, server) in channels.items()
    ]
    found = shop(spark, folder / "cafe", folder / "lake", mlflow, rules + yaml.safe_dump_all(destinations))
    return found.suite, secrets


def sending_in_fours(suite: Suite) -> Suite:
    """The suite, which notes outcomes four at a time and hardly waits for a channel."""
    quick = suite.settings.sending.model_copy(update={"flush_count": 4, "longest_wait_seconds": 0.01})
    return replace(suite, settings=suite.settings.model_copy(update={"sending": quick}))


def destination(name: str, connector: str, settings: Mapping[str, Any], secrets: dict[str, str]) -> dict[str, Any]:
    """The document of a destination whose tokens and keys are named, not written; they go into `secrets`."""
    hidden = {key: value for key, value in settings.items() if key.endswith(("token", "api_key"))}
    secrets.update({f"{name}_{key}".upper(): value for key, value in hidden.items()})
    named = {key: "${SECRET:" + f"{name}_{key}".upper() + "}" for key in hidden}
    return {"kind": "destination", "id": name, "connector": connector, "settings": {**settings, **named}}


def _consent(person: str, is_granted: bool) -> dict[str, Any]:
    at = datetime(2025, 1, 1, tzinfo=UTC)
    return {
        "source_system": "till",
        "consent_id": f"{person}-{is_granted}",
        "person_id": person,
        "purpose": "marketing",
        "channel": "any",
        "status": "granted" if is_granted else "withdrawn",
        "decided_at": at if is_granted else at.replace(day=2),
        "source_updated_at": at,
    }


def phones(count: int, start: int = 0) -> dict[str, dict[str, Any]]:
    """Made-up people with a phone each."""
    return {
        f"c{number:03}": {"first_name": f"Name{number}", "phone": f"+6680{number:07d}"}
        for number in range(start, start + count)
    }
