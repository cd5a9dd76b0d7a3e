"""What another identity.yml would change, before anything is published: `cdp identity diff`."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, functions as F
from rich.console import Console
from rich.table import Table as Grid

from cdp_lib.contracts import gold, identity, silver
from cdp_lib.errors import StorageError
from cdp_lib.io.caching import cached
from cdp_lib.io.checkpoints import checkpoints, folder_of_look
from cdp_lib.io.local_rows import local_rows
from cdp_lib.models.identity.matcher import Matcher
from cdp_lib.settings.identity import Identity
from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.clean.shared import mask_shared, unmask_shared
from cdp_lib.transforms.identity.decisions import decisions_in_force
from cdp_lib.transforms.identity.difference import changed_people, summed_changes
from cdp_lib.transforms.identity.exact import identifier_keys, record_clusters, record_key
from cdp_lib.transforms.identity.increment import within
from jobs.compose import Suite
from jobs.matching.matchers import judged_pairs, MATCH, misfit, Today, Unkept
from jobs.matching.people import Evidence, group_records, no_known, no_pairs
from jobs.matching.weighing import weigh_all

_SHOWN_PEOPLE = 10


def show_difference(console: Console, suite: Suite, other_file: Path) -> None:
    """Merges and splits that the other settings would bring, with people, records and revenue; nothing is written.

    What people decided since the last run is left out: it comes with the next one whatever the settings.
    Raises ConfigError for settings with faults, StorageError before the first run.
    """
    other = suite.place.load_pack(other_file).identity
    for table in (silver.CUSTOMER_RECORD, identity.IDENTITY_LINK):
        if suite.store.version(table) is None:
            raise StorageError(
                f"{suite.store.path(table)} does not exist. First: cdp run daily --pack {suite.place.pack}"
            )
    links = suite.store.read(identity.IDENTITY_LINK)
    with ExitStack() as kept:
        records = _records(kept, suite, other)
        clusters = kept.enter_context(cached(_clusters(kept, suite, other, records)))
        changed = changed_people(links, clusters, suite.store.read(gold.customer(suite.pack)))
        changed = kept.enter_context(cached(changed))
        people = {"today": links.select("golden_id").distinct().count()}
        people["with the other settings"] = clusters.select("cluster_id").distinct().count()
        shown = changed.orderBy(F.col("total_amount").desc_nulls_last(), "golden_id").limit(_SHOWN_PEOPLE).collect()
        _print(console, people, summed_changes(changed).orderBy("change", "currency").collect(), shown)


def _records(kept: ExitStack, suite: Suite, other: Identity) -> DataFrame:
    """The records, with the values masked that too many share by the other settings' limits."""
    stored = suite.store.read(silver.CUSTOMER_RECORD)
    limits: dict[str, int] = {field: count for field, count in other.shared_value_limits.items()}
    if limits == suite.pack.identity.shared_value_limits:
        return stored
    whole = kept.enter_context(cached(unmask_shared(stored)))
    return kept.enter_context(cached(mask_shared(whole, limits)))


def _overrides(suite: Suite) -> DataFrame:
    """What people had decided when today's links were made: what came since is not the other settings' doing."""
    last = suite.ledger.history().last_success("silver_identity")
    table = identity.IDENTITY_OVERRIDE
    version = None if last is None else last.inputs.get(table.name)
    return local_rows(suite.session(), table.schema()) if version is None else suite.store.read(table, version)


def _clusters(kept: ExitStack, suite: Suite, other: Identity, records: DataFrame) -> DataFrame:
    known, overrides = records.select(record_key().alias("record_key")), _overrides(suite)
    decisions = within(decisions_in_force(overrides), known)
    pairs, named, fields = no_pairs(suite.session()), None, no_known(suite.session())
    if other.matching is not None:
        today = Today(records.count(), judged_pairs(overrides))
        matchers = _matchers(suite, other.matching, today)
        weighed = kept.enter_context(weigh_all(records, other.matching, matchers, decisions))
        pairs, named, fields = weighed.pairs, weighed.named, weighed.known
    evidence = Evidence(identifier_keys(records, other), pairs, decisions, records, fields)
    keep = kept.enter_context(checkpoints(suite.session(), folder_of_look(suite.store.root)))
    memberships = kept.enter_context(group_records(evidence, other, named, keep))
    return record_clusters(records, memberships)


def _matchers(suite: Suite, matching: Matching, today: Today) -> Unkept:
    """The champion where the next run would use it under these settings; else one is trained for the trial alone."""
    champion = suite.models().champion(MATCH)
    fits = champion is not None and misfit(champion, matching, today) is None
    return Unkept(Matcher.from_dict(champion.body) if champion is not None and fits else None)


def _print(console: Console, people: dict[str, int], sums: Sequence[Any], shown: Sequence[Any]) -> None:
    console.print("people: " + ", ".join(f"{count:,} {when}" for when, count in people.items()), highlight=False)
    if not sums:
        console.print("No record would change its person.", highlight=False)
        return
    grid = _grid("what would change", "change", "people", "records", "revenue so far")
    for row in sums:
        amount = "" if row["total_amount"] is None else f"{row['total_amount']:,.2f} {row['currency'] or ''}"
        grid.add_row(row["change"], f"{row['person_count']:,}", f"{row['record_count']:,}", amount)
    console.print(grid)
    grid = _grid("people with most revenue", "golden_id", "records", "would be in", "would join", "revenue so far")
    for row in shown:
        amount = "" if row["total_amount"] is None else f"{row['total_amount']:,.2f}"
        parts = f"{row['part_count']} people" if row["is_split"] else "1 person"
        joins = {0: "nobody", 1: "1 other"}.get(row["joined_count"], f"{row['joined_count']} others")
        grid.add_row(row["golden_id"], str(row["record_count"]), parts, joins, amount)
    console.print(grid)
    console.print("Nothing was written. Put the settings into the pack, and run daily, to have it so.", highlight=False)


def _grid(title: str, *headers: str) -> Grid:
    grid = Grid(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2), pad_edge=False)
    for place, header in enumerate(headers):
        grid.add_column(header, justify="left" if place == 0 else "right", header_style="dim")
    return grid
