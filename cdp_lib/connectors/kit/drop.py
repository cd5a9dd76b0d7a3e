"""A real SFTP server for the connector that drops files: after connectors.md, row `SFTP / CSV`."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from cdp_lib.connectors.drop import KIND
from cdp_lib.connectors.kit.bench import Bench, Channel, intent_of
from cdp_lib.connectors.kit.script import Behaviour, Script
from cdp_lib.connectors.protocol import Item

_MANIFEST = ".manifest.json"


@contextmanager
def _served(script: Iterable[Behaviour], slow_seconds: float) -> Iterator[Channel]:
    from cdp_lib.connectors.kit.file_server import file_server, LOGIN

    faults = Script(slow_seconds)
    faults.will(script)
    with TemporaryDirectory() as folder, file_server(Path(folder), script=faults) as server:
        url = f"sftp://{LOGIN}@127.0.0.1:{server.port}/?{urlencode({'host_key': server.host_key})}"
        yield Channel(url, lambda: list(_dropped(Path(folder))), faults.will)


def _dropped(folder: Path) -> Iterator[tuple[str, str]]:
    """Action and customer of every row whose file has a manifest."""
    for manifest in sorted(folder.glob(f"*{_MANIFEST}")):
        with manifest.with_name(manifest.name.replace(_MANIFEST, ".csv")).open(encoding="utf-8", newline="") as file:
            yield from ((row["action"], row["golden_id"]) for row in csv.DictReader(file))


def _settings(url: str) -> dict[str, Any]:
    place = urlsplit(url)
    login = {"user": place.username, "password": place.password}
    return {"host": place.hostname, "port": place.port, "path": place.path, **login, **dict(parse_qsl(place.query))}


BENCH = Bench(
    kind=KIND,
    fake=None,
    settings=_settings,
    item=lambda number: Item(intent_of(number), person={"golden_id": f"golden-{number}"}),
    bad_item=None,
    whom=lambda item: str(item.person["golden_id"]),
    served=_served,
    needs=("asyncssh",),
    timeout_seconds=2.0,
)
