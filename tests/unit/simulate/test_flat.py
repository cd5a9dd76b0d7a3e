"""The flat table of records."""

import re
from datetime import date

import pyarrow.compute as pc
import pytest

from cdp_lib.errors import ConfigError
from cdp_lib.settings.simulator import Simulator
from cdp_lib.simulate.flat import FLAT_SCHEMA, simulate_records

from .conftest import library_settings


def test_about_as_many_records_as_asked_with_unique_ids(library: Simulator) -> None:
    table = simulate_records(library, records=5_000, seed=1)
    assert abs(table.num_rows - 5_000) < 250
    assert table.schema == FLAT_SCHEMA
    ids = pc.binary_join_element_wise(table["source_system"], table["source_record_id"], "|")
    assert len(set(ids.to_pylist())) == table.num_rows


def test_the_same_seed_gives_the_same_table_and_another_does_not(library: Simulator) -> None:
    first = simulate_records(library, records=1_000, seed=1)
    assert first.equals(simulate_records(library, records=1_000, seed=1))
    assert not first.equals(simulate_records(library, records=1_000, seed=2))


def test_values_are_spelt_in_one_form_but_placeholders_stay(library: Simulator) -> None:
    table = simulate_records(library, records=3_000, seed=1)
    phones = {phone for phone in table["phone"].to_pylist() if phone}
    assert "0000000000" in phones
    assert all(re.fullmatch(r"\+44\d{10}", phone) for phone in phones - {"0000000000"})
    assert all(date.fromisoformat(born) for born in table["birth_date"].to_pylist() if born)


def test_fields_that_no_system_holds_are_null(library: Simulator) -> None:
    table = simulate_records(library, records=500, seed=1)
    assert table["city"].null_count == table.num_rows
    assert table["gender"].null_count == table.num_rows


def test_no_records_is_refused(library: Simulator) -> None:
    with pytest.raises(ConfigError, match="at least one record"):
        simulate_records(library, records=0, seed=1)


def test_a_pack_whose_systems_know_nobody_is_refused() -> None:
    settings = library_settings()
    settings["systems"] = settings["systems"][:1]
    with pytest.raises(ConfigError, match="no records system of the pack holds a name"):
        simulate_records(Simulator.model_validate(settings), records=10, seed=1)
