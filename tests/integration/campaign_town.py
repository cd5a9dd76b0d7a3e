"""A pack's own business for some weeks: simulated files that arrive day by day, and its channels on loopback."""

import io
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, ExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import SparkSession
from rich.console import Console

from cdp_lib.connectors.kit.checks import benches
from cdp_lib.connectors.kit.mail_server import mail_server, Mailbox
from cdp_lib.connectors.kit.server import LoopbackServer, serving
from cdp_lib.io.ledger import OpsLedger, utc_now
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.simulate.systems import simulate
from jobs.compose import build_suite, HOME, Place, Request, run_named, Suite
from tests.integration.mailing import destination

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass
class Town:
    """The business, what its channels took, and the files that have not come yet."""

    suite: Suite
    mailbox: Mailbox
    channels: dict[str, LoopbackServer]
    secrets: dict[str, str]
    waiting: Path

    def arrive(self, last: date) -> None:
        """Files of days up to `last` come in, those without a day at once."""
        for file in sorted(path for path in self.waiting.rglob("*") if path.is_file()):
            day = _DAY.search(file.name)
            if day is None or date.fromisoformat(day[0]) <= last:
                place = Path(self.suite.landing) / file.relative_to(self.waiting)
                place.parent.mkdir(parents=True, exist_ok=True)
                file.rename(place)

    def run(self, as_of: date, now: datetime, *, sends: bool, only: tuple[str, ...] = ()) -> None:
        """A daily run as of that day, or these jobs of it, on a clock that says `now` as it begins."""
        ahead = now - utc_now()
        suite = replace(self.suite, ledger=OpsLedger(self.suite.ledger.root, lambda: utc_now() + ahead))
        request = Request(only=only, as_of=as_of, send=sends, at=None if sends else now)
        run_named(suite, request, Console(file=io.StringIO()))


@contextmanager
def town(
    pack: str, folder: Path, parts: tuple[SparkSession, MlflowSettings], people: Callable[[Path], object], **size: int
) -> Iterator[Town]:
    """The pack with nothing landed yet: its own YAML, but that destinations are on loopback, and phones the fake's.

    `size` are customers, days and seed of the simulated files; `people` adds files to them.
    """
    spark, mlflow = parts
    own = folder / pack
    shutil.copytree(HOME / "conf" / "packs" / pack, own)
    with ExitStack() as servers:
        mailbox = Mailbox()
        mails = servers.enter_context(mail_server(mailbox))
        channels, secrets, known = dict[str, LoopbackServer](), dict[str, str](), benches()
        file = own / "activations.yml"
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
        for document in documents:
            if document["kind"] != "destination":
                continue
            if document["connector"] == "email":
                relay = {"host": "127.0.0.1", "port": mails.port, "security": "none"}
                document["settings"] = {**_plain(document), **relay}
                document["settings"].pop("user", None)
            else:
                bench = known[document["connector"]]
                channels[document["id"]] = server = servers.enter_context(serving(bench.fake()))
                reached = destination(document["id"], document["connector"], bench.settings(server.url), secrets)
                document["settings"] = {**_plain(document), **reached["settings"]}
        file.write_text(yaml.safe_dump_all(documents, allow_unicode=True), encoding="utf-8")
        simulator = own / "simulator.yml"
        simulator.write_text(simulator.read_text(encoding="utf-8").replace("token-", "phone-"), encoding="utf-8")
        (folder / "landing").mkdir()
        suite = build_suite(Place(str(own), str(folder / "landing"), str(folder / "lake")), lambda: spark)
        assert suite.pack.simulator is not None
        simulate(suite.pack.simulator, out=folder / "waiting", **size)
        people(folder / "waiting")
        settings = suite.settings.model_copy(update={"mlflow": mlflow})
        yield Town(replace(suite, settings=settings), mailbox, channels, secrets, folder / "waiting")


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that are no secret and lead to no host."""
    return {name: value for name, value in document["settings"].items() if "${SECRET:" not in str(value)}
