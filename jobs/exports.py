"""Write a pack's exports: CSV with literal headers, a document of what each header means, companion files."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

from pyspark.sql import DataFrame

from cdp_lib.connectors.drop import harmless
from cdp_lib.contracts import activation, gold, identity, silver
from cdp_lib.errors import ConfigError, near_miss, StorageError
from cdp_lib.io.private_file import private_file
from cdp_lib.settings.export import Export
from cdp_lib.transforms.activation.receivers import receivers
from cdp_lib.transforms.customer.export import also_known_as, export_rows
from cdp_lib.transforms.customer.traits import facts_of_people
from jobs.audit import note_deed
from jobs.compose import Suite
from jobs.look import scored_view


def write_exports(suite: Suite, out: Path, name: str | None) -> Iterator[tuple[Path, int]]:
    """(file, number of rows) of each file written; a file appears whole or not at all. What left is noted.

    Raises ConfigError for an unknown export, StorageError where the single view does not exist yet.
    """
    known = {export.id: export for export in suite.pack.exports}
    if name is not None and name not in known:
        raise ConfigError(f"pack {suite.pack.name}: unknown export '{name}'.{near_miss(name, known)}")
    if not known:
        raise ConfigError(f"pack {suite.pack.name} declares no export. Add one to its exports.yml.")
    table = gold.customer(suite.pack)
    if suite.store.version(table) is None:
        raise StorageError(f"{suite.store.path(table)} does not exist. First: cdp run daily --pack {suite.place.pack}")
    out.mkdir(parents=True, exist_ok=True)
    customers = scored_view(suite.pack, suite.store.read, lambda one: suite.store.version(one) is not None)
    for export in [known[name]] if name else known.values():
        listed = _receivers(suite, customers, export)
        files = {export.id: export_rows(listed, export, time_zone=suite.pack.info.time_zone)}
        if export.also_known_as:
            links = suite.store.read(identity.IDENTITY_LINK)
            files[f"{export.id}.also_known_as"] = also_known_as(links, listed, export)
        for subject, frame in files.items():
            path, count = write_csv(frame, out / f"{subject}.csv")
            note_deed(suite, "export", subject, f"{count} rows")
            yield path, count
        yield _write_notes(export, out / f"{export.id}.md")


def _receivers(suite: Suite, customers: DataFrame, export: Export) -> DataFrame:
    """Whom the export may be about: of one that leads to a message, who may get it at this moment."""
    if export.may_receive is None:
        return customers
    if suite.store.version(activation.SUPPRESSION) is None:
        raise StorageError(
            f"export {export.id} leaves out who unsubscribed, but {suite.store.path(activation.SUPPRESSION)} does not "
            f"exist. First: cdp run daily --pack {suite.place.pack}"
        )
    consents = facts_of_people(suite.store.read(silver.CONSENT), suite.store.read(identity.IDENTITY_LINK))
    suppressions = suite.store.read(activation.SUPPRESSION)
    return receivers(customers, export.may_receive, consents, suppressions, at=suite.ledger.clock())


def write_csv(rows: DataFrame, path: Path) -> tuple[Path, int]:
    """One file in the frame's order, and its number of rows; streamed: the driver holds one partition at a time.

    Only its owner may read it. Text that a spreadsheet would run as a formula bears an apostrophe in front.
    """
    count = 0
    with private_file(path, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(rows.columns)
        for row in rows.toLocalIterator():
            writer.writerow(_texts(row))
            count += 1
    return path, count


def _texts(row: Sequence[object]) -> list[object]:
    joined = ["|".join(map(str, value)) if isinstance(value, list) else value for value in row]
    return [harmless(value) if isinstance(value, str) else value for value in joined]


def _write_notes(export: Export, path: Path) -> tuple[Path, int]:
    lines = [f"# {export.id}", "", export.description, "", "| column | meaning | computed as |", "|---|---|---|"]
    lines += [f"| {header} | {export.notes.get(header, '')} | `{text}` |" for header, text in export.columns.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path, len(export.columns)
