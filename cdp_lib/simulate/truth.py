"""Who is who: the person and home behind each source record."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cdp_lib.simulate.draws import Ints
from cdp_lib.simulate.people import People
from cdp_lib.simulate.text import fill, Text

TRUTH_COLUMNS = ("source_system", "source_record_id", "person_id", "household_id")
SCHEMA = pa.schema([(name, pa.string()) for name in TRUTH_COLUMNS])


@dataclass
class Truth:
    """Collects (record id, person) pairs per source; days are merged as they come, so memory follows the ids."""

    people: People
    parts: dict[str, list[pa.Table]] = field(default_factory=dict)

    def add(self, source: str, ids: Text, persons: Ints) -> None:
        """Note which person each id stands for; rows without an id stand for nobody."""
        table = pa.table({"id": ids, "person": pa.array(persons)}).filter(pc.is_valid(ids))
        self.parts.setdefault(source, []).append(_merged([table]))

    def write(self, path: Path) -> int:
        """One row per source record that stands for exactly one person; returns their number.

        Ids typed for several people (a till's own phone, a family's) belong to nobody and are left out.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with pq.ParquetWriter(path, SCHEMA, compression="zstd", store_schema=False) as writer:
            for source in list(self.parts):
                merged = _merged(self.parts.pop(source))
                single = merged.filter(pc.equal(merged["first"], merged["last"])).sort_by("id")
                table = self._named(source, single)
                writer.write_table(table, row_group_size=1 << 17)
                written += table.num_rows
        return written

    def _named(self, source: str, single: pa.Table) -> pa.Table:
        persons = single["first"].combine_chunks().to_numpy()
        columns = [
            pa.repeat(pa.scalar(source, pa.string()), len(persons)),
            single["id"].combine_chunks(),
            person_ids(persons),
            household_ids(self.people, persons),
        ]
        return pa.Table.from_arrays(columns, schema=SCHEMA)


def person_ids(persons: Ints) -> Text:
    """Ids that say nothing about the person."""
    return fill("p#########", persons.astype(np.int64))


def household_ids(people: People, persons: Ints) -> Text:
    """Ids of the homes the persons live in."""
    return fill("h#########", people.family.home[persons])


def _merged(tables: list[pa.Table]) -> pa.Table:
    """One row per id with the lowest and highest person it stood for."""
    low = pa.concat_tables([t.select(["id"]).append_column("person", t[_one_of(t, "first")]) for t in tables])
    high = [t.select(["id"]).append_column("person", t[_one_of(t, "last")]) for t in tables]
    both = low.append_column("high", pa.concat_tables(high)["person"])
    grouped = both.group_by("id", use_threads=False).aggregate([("person", "min"), ("high", "max")])
    return grouped.rename_columns(["id", "first", "last"])


def _one_of(table: pa.Table, name: str) -> str:
    return name if name in table.column_names else "person"
