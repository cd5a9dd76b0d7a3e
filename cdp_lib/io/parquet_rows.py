"""Rows of one Parquet file as texts: scalars without loss, nested values as JSON."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa
from pyarrow import compute as pc, parquet

from cdp_lib.settings.source import Source
from cdp_lib.settings.sql import parse_type

BATCH_ROWS = 32_768
_EXACT = {16: 2.0**11, 32: 2.0**24, 64: 2.0**53}
"""Bits of a floating point number: up to where it tells every whole number from the next."""
ToJson = Callable[[Any], Any]


def parquet_batches(
    stream: pa.NativeFile, row_groups: Sequence[int], as_bytes: frozenset[str]
) -> Iterator[pa.RecordBatch]:
    """The rows of the row groups in file order: one string column per column of the file."""
    file = parquet.ParquetFile(stream)
    for batch in file.iter_batches(batch_size=BATCH_ROWS, row_groups=list(row_groups), use_threads=False):
        names = batch.schema.names
        texts = [_texts(column, name in as_bytes) for name, column in zip(names, batch.columns, strict=True)]
        yield pa.RecordBatch.from_arrays(texts, names=names)


def byte_columns(source: Source, names: Sequence[str]) -> frozenset[str]:
    """Those of a file's columns whose bytes stay bytes (as base64): declared binary, or unknown to the contract."""
    types = {column.header or name: column.type for name, column in source.columns.items()}
    return frozenset(name for name in names if name not in types or parse_type(types[name]).name == "binary")


def is_bytes(kind: pa.DataType) -> bool:
    """Whether the values are bytes, which some writers use for text."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))


def _texts(values: pa.Array, keep_bytes: bool) -> pa.Array:
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _texts(values.dictionary_decode(), keep_bytes)
    if pa.types.is_nested(kind):
        ready = _ready(kind)
        written = [None if value is None else _json(ready(value)) for value in values.to_pylist()]
        return pa.array(written, pa.string())
    if is_bytes(kind) and keep_bytes:
        return pa.array([_or_none(_scalar, value) for value in values.to_pylist()], pa.string())
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        # The stored number is the UTC instant; written without its zone's name it needs no zone tables.
        instants = values.cast(pa.int64()).cast(pa.timestamp(kind.unit))
        return pc.binary_join_element_wise(instants.cast(pa.string()), "Z", "")
    if pa.types.is_floating(kind):
        return _texts_of_floats(values)
    if pa.types.is_fixed_size_binary(kind):
        return values.cast(pa.binary()).cast(pa.string())
    return values.cast(pa.string())


def _texts_of_floats(values: pa.Array) -> pa.Array:
    """Whole numbers as such, as long as no digit is lost: phones and ids with gaps are often stored as doubles."""
    narrow = values.cast(pa.float32()) if pa.types.is_float16(values.type) else values
    wide = narrow.cast(pa.float64())
    is_exact = pc.and_(pc.equal(pc.floor(wide), wide), pc.less(pc.abs(wide), _EXACT[values.type.bit_width]))
    whole = pc.if_else(is_exact, wide, pa.scalar(None, pa.float64())).cast(pa.int64()).cast(pa.string())
    return pc.coalesce(whole, narrow.cast(pa.string()))


_json = partial(json.dumps, ensure_ascii=False, separators=(",", ":"))


def _ready(kind: pa.DataType) -> ToJson:
    """From a value of the Arrow type, as Python has it, to what JSON can hold; exact numbers become strings."""
    if pa.types.is_struct(kind):
        fields = [(kind.field(place).name, _ready(kind.field(place).type)) for place in range(kind.num_fields)]
        return lambda value: {name: _or_none(ready, value[name]) for name, ready in fields}
    if pa.types.is_map(kind):
        of_item = _ready(kind.item_type)
        return lambda value: {str(key): _or_none(of_item, item) for key, item in value}
    if pa.types.is_nested(kind):
        of_value = _ready(kind.value_type)
        return lambda value: [_or_none(of_value, item) for item in value]
    return _scalar


def _or_none(ready: ToJson, value: Any) -> Any:
    return None if value is None else ready(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, date | Decimal):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if isinstance(value, str | int | float | bool) else str(value)
