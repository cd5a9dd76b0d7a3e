"""The packs that ship with the suite load, their documents are in sync, and the real year is whole."""

from dataclasses import replace
from pathlib import Path

import pytest

from cdp_lib.contracts import bronze, gold
from cdp_lib.contracts.dictionary import dictionary_files
from cdp_lib.contracts.lineage import column_lineage, lineage_paths
from cdp_lib.io.yaml_files import load_pack, pack_names
from cdp_lib.settings.pack import KINDS, Pack
from cdp_lib.settings.schemas import pack_schemas, schema_files
from cdp_lib.settings.trait import Trait
from cdp_lib.simulate.sample import export_sample, SampleSummary

ROOT = Path(__file__).resolve().parents[2]
PACKS_DIR = ROOT / "conf" / "packs"
NAMES = pack_names(PACKS_DIR)


@pytest.fixture(scope="module")
def packs() -> dict[str, Pack]:
    """Every pack of the suite."""
    return {name: load_pack(name, PACKS_DIR) for name in NAMES}


def test_the_three_businesses_are_there() -> None:
    assert {"coffee_shop", "department_store", "fashion_shop"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_pack_is_called_like_its_folder_and_has_all_tables(packs: dict[str, Pack], name: str) -> None:
    pack = packs[name]
    assert pack.name == name
    assert len(bronze.tables(pack)) == 2 * len(pack.sources)
    assert gold.customer(pack).column_names[-len(pack.traits) :] == tuple(trait.name for trait in pack.traits)


@pytest.mark.parametrize("name", NAMES)
def test_everything_a_pack_declares_is_described(packs: dict[str, Pack], name: str) -> None:
    pack = packs[name]
    nameless = [
        f"{source.id}.{column}"
        for source in pack.sources
        for column, spec in source.columns.items()
        if not spec.description
    ]
    silent = [source.id for source in pack.sources if not source.description]
    silent += [trait.name for trait in pack.traits if not trait.description]
    assert (nameless, silent) == ([], [])


@pytest.mark.parametrize("name", NAMES)
def test_every_source_with_facts_knows_its_people(packs: dict[str, Pack], name: str) -> None:
    """A fact finds its person by (source_system, person_id), so its source must feed customer_record too."""
    lost = [
        source.id
        for source in packs[name].sources
        if any("person_id" in feed.map for feed in source.feeds)
        and all(feed.to != "customer_record" for feed in source.feeds)
    ]
    assert lost == []


@pytest.mark.parametrize("name", NAMES)
def test_contacts_are_marked_as_personal_data(packs: dict[str, Pack], name: str) -> None:
    contacts = {"email": "email", "phone": "phone", "first_name": "name", "last_name": "name", "address": "address"}
    unmarked = [
        f"{source.id}.{column}"
        for source in packs[name].sources
        for column, spec in source.columns.items()
        if column in contacts and spec.pii != contacts[column]
    ]
    assert unmarked == []


@pytest.mark.parametrize("name", NAMES)
def test_every_trait_leads_back_to_bronze(packs: dict[str, Pack], name: str) -> None:
    pack = packs[name]
    steps = column_lineage(pack)
    ends = {
        trait.name: {path[-1].split(".")[0] for path in lineage_paths(steps, f"gold.customer.{trait.name}")}
        for trait in pack.traits
    }
    assert [name for name, found in ends.items() if "bronze" not in found] == []


@pytest.mark.parametrize("name", ["cinema", "retail"])
def test_no_return_or_cancellation_counts_as_a_success(packs: dict[str, Pack], name: str) -> None:
    """In these packs an order may be one; an amount sums them up by itself."""
    kpis = [(one.id, kpi) for one in packs[name].activations for kpi in one.kpis]
    counted = [(place, kpi) for place, kpi in kpis if kpi.from_ == "order" and kpi.select == "count(*)"]
    assert counted
    assert [f"{place}.{kpi.id}" for place, kpi in counted if "paid_amount" not in (kpi.where or "")] == []


def test_lineage_names_only_declared_columns(packs: dict[str, Pack]) -> None:
    pack = packs["department_store"]
    known = {f"{table.name}.{column}" for table in bronze.tables(pack) for column in table.column_names}
    read = {step.source for step in column_lineage(pack) if step.source.startswith("bronze.")}
    assert read <= known


@pytest.mark.parametrize("path", sorted(schema_files()))
def test_published_schemas_are_in_sync(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == schema_files()[path], "run `make docs`"


def test_every_kind_has_a_schema() -> None:
    assert set(pack_schemas()) == {*KINDS, "any"}


def test_no_schema_is_left_over() -> None:
    assert {f"docs/schemas/{path.name}" for path in (ROOT / "docs" / "schemas").iterdir()} == set(schema_files())


def test_the_data_dictionary_is_in_sync(packs: dict[str, Pack]) -> None:
    written = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in [ROOT / "docs" / "data_dictionary.md", *(ROOT / "docs" / "data_dictionary").iterdir()]
    }
    assert written == dictionary_files(list(packs.values())), "run `make docs`"


@pytest.mark.parametrize("name", NAMES)
def test_every_pack_file_names_its_schema(name: str) -> None:
    first_lines = {
        path.name: path.read_text(encoding="utf-8").splitlines()[0] for path in (PACKS_DIR / name).glob("*.yml")
    }
    marked = "# yaml-language-server: $schema=../../../docs/schemas/"
    wrong = [
        file
        for file, line in first_lines.items()
        if not line.startswith(marked) or not (PACKS_DIR / name / line.split("=")[1]).is_file()
    ]
    assert wrong == []


@pytest.fixture(scope="module")
def real_year(packs: dict[str, Pack], tmp_path_factory: pytest.TempPathFactory) -> SampleSummary:
    """The landing files of the department store's real year."""
    pack = packs["department_store"]
    assert pack.sample is not None
    return export_sample(pack.sample, tmp_path_factory.mktemp("landing"), time_zone=pack.info.time_zone)


def test_the_real_year_is_whole(real_year: SampleSummary) -> None:
    assert real_year.rows == {
        "pos/%Y-%m-%d.csv": 1_469_307,
        "products/products.csv": 92_331,
        "crm/demographics.csv": 801,
        "campaigns/campaign_descriptions.csv": 27,
        "campaigns/campaigns_%Y-%m-%d.csv": 6_589,
        "campaigns/coupons.csv": 116_204,
        "campaigns/coupon_redemptions_%Y-%m.csv": 2_102,
    }
    days = sorted(path.stem for path in (real_year.out / "pos").iterdir())
    assert (len(days), days[0], days[-1]) == (364, "2017-01-01", "2017-12-31")


def test_every_file_of_the_real_year_is_read_by_exactly_one_source(
    packs: dict[str, Pack], real_year: SampleSummary
) -> None:
    sources = packs["department_store"].sources
    found = [path for source in sources for path in real_year.out.glob(source.read.path)]
    files = [path for path in real_year.out.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert sorted(found) == sorted(files)


def test_a_trait_that_repeats_a_personal_column_bears_its_mark(packs: dict[str, Pack]) -> None:
    added = [
        {"name": "last_words", "from": "review", "select": "last(review_text)"},
        {"name": "review_total", "from": "review", "select": "count(*)"},
        {"name": "shouted", "from": "customer", "select": "upper(last_words)", "type": "string"},
        {"name": "letters", "from": "customer", "select": "length(last_words)", "type": "int"},
        {"name": "town", "from": "golden_record", "select": "postcode"},
    ]
    traits = tuple(Trait.model_validate({"kind": "trait", **one}) for one in added)
    table = gold.customer(replace(packs["coffee_shop"], traits=traits))
    marks = {trait.name: table.column(trait.name).pii for trait in traits}
    assert marks == {
        "last_words": "free_text",
        "review_total": None,
        "shouted": "free_text",
        "letters": None,
        "town": "address",
    }
