"""Comparable records that every worker holds whole, in Arrow, and looks up where a join would shuffle them.

A record stands in a place, and is found there by a number of 64 bits: Spark makes one from its key.
"""

from functools import cached_property

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, functions as F

from cdp_lib.settings.matching import Matching
from cdp_lib.transforms.identity.blocking import BLOCK_KEYS, listed_source
from cdp_lib.transforms.identity.comparable import comparable_fields
from cdp_lib.transforms.identity.pairing import Halves, halves, in_order, Ints

_NUMBER = "_number"
"""Not the name of any field: a pack's may be called `number`."""


def record_number(record_key: str = "record_key") -> Column:
    """The number by which a held record is found: made from its key, in the column of that name."""
    return F.xxhash64(record_key)


def held_columns(comparable: DataFrame, matching: Matching) -> DataFrame:
    """What `HeldRecords` are made of: comparable records with their numbers, and `<field>_term`: each value's hash."""
    terms = [
        F.when(F.col(field).isNotNull(), term_key(F.col(field))).alias(f"{field}_term") for field in matching.fields
    ]
    return comparable.select("record_key", record_number().alias(_NUMBER), *comparable_fields(matching), *terms)


def held_keys(keyed: DataFrame, matching: Matching) -> DataFrame:
    """What `HeldBlocks` are made of: the number of each record, its `block_keys`, and `source` where one lists once."""
    return keyed.select(record_number().alias(_NUMBER), *listed_source(matching), BLOCK_KEYS)


def term_key(value: Column) -> Column:
    """The name of a value where its frequency is kept: a hash, so that no model holds a person's data."""
    return F.xxhash64(value)


class HeldRecords:
    """Columns of records, each of which has a place, found by the record's number."""

    def __init__(self, records: pa.Table) -> None:
        """`records` are `held_columns`, each record once."""
        numbers = records[_NUMBER].to_numpy()
        self._order = np.argsort(numbers)
        self._numbers = numbers[self._order]
        self._columns = records.drop_columns([_NUMBER]).combine_chunks()

    @property
    def have_own_numbers(self) -> bool:
        """No two records share a number, as two of a million do once in 37 million times: else nothing can be found."""
        return not (self._numbers[1:] == self._numbers[:-1]).any()

    def places_of(self, keyed: pa.Table) -> Ints:
        """Where the records of these rows (`held_keys`) stand. Raises KeyError where one is not held."""
        return self.places(keyed[_NUMBER])

    def places(self, numbers: pa.Array | pa.ChunkedArray) -> Ints:
        """Where the records of these numbers stand. Raises KeyError where one is not held."""
        asked = numbers.to_numpy()
        # Without the last one, so that the place of a greater number is there to be compared too.
        found = np.searchsorted(self._numbers[:-1], asked)
        if len(asked) and not (len(self._numbers) and (self._numbers[found] == asked).all()):
            raise KeyError("a record is named that is not held")
        places: Ints = self._order[found]
        return places

    def in_order(self, left: Ints, right: Ints) -> tuple[Ints, Ints]:
        """The two records of each pair, that of the lesser key on the left."""
        return in_order(self._halves, left, right)

    def values(self, column: str, places: Ints) -> pa.Array:
        """What the records in these places have in a column."""
        return self._columns[column].take(pa.array(places)).combine_chunks()

    def terms(self, field: str) -> Ints:
        """The hashes of a field's values, of every record that has one."""
        hashes: Ints = self._columns[f"{field}_term"].drop_null().to_numpy()
        return hashes

    @cached_property
    def _halves(self) -> tuple[Halves, Halves]:
        return halves(self._columns["record_key"].combine_chunks())
