"""`cdp explain` over written tables: what it says of records, people and pairs, and what it never says."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, UTC
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from rich.console import Console

from cdp_lib.contracts import identity, ops, silver
from cdp_lib.contracts.matching import match_pair
from cdp_lib.contracts.table import Table
from cdp_lib.errors import CdpError, ConfigError, IdentityError, ModelError, StorageError
from cdp_lib.io.conform import fit_to_table
from cdp_lib.io.store import Stamp
from cdp_lib.models.identity.match_model import FieldModel, Model
from cdp_lib.models.identity.matcher import Matcher
from cdp_lib.models.training import StoredModel
from cdp_lib.settings.settings import MlflowSettings
from cdp_lib.transforms.identity.blocking import block_keys, candidate_pairs
from cdp_lib.transforms.identity.comparable import comparable_records
from cdp_lib.transforms.identity.grading import LEVELS
from cdp_lib.transforms.identity.scoring import named_pairs
from cdp_lib.transforms.identity.survivorship import golden_records
from jobs.compose import Suite
from jobs.decisions import Book, Decision, Record, write_decisions
from jobs.explain import explain, Question
from jobs.matching.comparing import ByJoins
from jobs.matching.matchers import NamedMatcher
from jobs.matching.weighing import kept_pairs
from tests.builders import rows
from tests.integration.people import business

pytestmark = pytest.mark.slow

AT = datetime(2025, 1, 31, tzinfo=UTC)
EXACT = "identifiers: [{field: member_no, max_values: 1}, {field: phone, max_records: 2, blocked: ['+4711111111']}]\n"
PROBABLE = (
    EXACT
    + """
source_priority: [crm, shop]
survivorship: {email: [longest]}
matching:
  blocking: [{on: [email]}, {on: [last_name, birth_date]}, {on: [first_name]}]
  comparisons:
    - {field: first_name, kind: name}
    - {field: last_name, kind: name}
    - {field: birth_date, kind: birth_date, term_frequency: false}
    - {field: email, kind: email}
  rivals: [{name: household, shared: [last_name, email]}]
  vetoes: [{same: [email], different: [birth_date]}]
  one_record_per_source: [crm]
"""
)
BORN = date(1980, 4, 2)
ANN = {"first_name": "Annabel", "last_name": "Rayleigh", "email": "ann@a.test", "birth_date": BORN}
PEOPLE: dict[str, dict[str, Any]] = {
    "crm:1": ANN | {"identifiers": {"member_no": "m1"}, "phone": "+4722222222"},
    "shop:2": ANN | {"first_name": "Ann", "email": "ann.rayleigh@a.test"},
    "shop:3": {"first_name": "Xaver", "identifiers": {"member_no": "m1"}, "phone": "+4711111111"},
    "shop:4": ANN | {"first_name": "Bob", "birth_date": date(1979, 11, 30)},
    "crm:5": {"first_name": "Zoe", "last_name": "Quux", "birth_date": date(2001, 1, 1), "phone": "+4711111111"},
    "shop:6": ANN | {"identifiers": {"member_no": "m2"}},
    "shop:7": ANN | {"email": "other@a.test"},
    "shop:8": {"first_name": "Annabel", "last_name": "Rayleigh"},
}
PERSON_OF = {
    "crm:1": "P1",
    "shop:2": "P1",
    "shop:3": "P1",
    "shop:4": "P4",
    "crm:5": "P5",
    "shop:6": "P6",
    "shop:7": "P7",
    "shop:9": "P9",
}
TIED_BY = {"crm:1": "member_no,match", "shop:2": "match", "shop:3": "member_no"}
THRESHOLD = -2.0


def _model() -> Model:
    def field(name: str, kind: str, same: float) -> FieldModel:
        size = len(LEVELS[kind])
        m = tuple([0.1 / (size - 1)] * (size - 1) + [0.9])
        u = tuple([(1 - same) / (size - 1)] * (size - 1) + [same])
        shared = {"household": m} if name in ("last_name", "email") else {}
        return FieldModel(name, m, u, shared, {}, 0.75)

    kinds = {"first_name": "name", "last_name": "name", "birth_date": "birth_date", "email": "email"}
    return Model(1e-3, {"household": 1e-4}, tuple(field(name, kind, 0.004) for name, kind in kinds.items()), 1e6, 5)


MODEL = _model()


@dataclass(frozen=True)
class Registry:
    """A registry that has one version, or none."""

    stored: StoredModel | None

    def champion(self, model: str) -> StoredModel | None:
        """The one version."""
        return self.stored if model == "match" else None


@dataclass(frozen=True)
class SuiteWithModel(Suite):
    """The suite, beside a registry that needs no MLflow."""

    registry: Registry = Registry(None)

    def models(self) -> Any:
        """What stands in its place."""
        return self.registry


def _with_registry(suite: Suite, settings_hash: str | None) -> SuiteWithModel:
    stored = None
    if settings_hash is not None:
        body = Matcher(MODEL, (300, 300, 0), THRESHOLD, "given", settings_hash, 10, ()).to_dict()
        stored = StoredModel("shop-match", 3, body)
    return SuiteWithModel(**{one.name: getattr(suite, one.name) for one in fields(Suite)}, registry=Registry(stored))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explained")


@pytest.fixture(scope="module")
def suite(spark: SparkSession, folder: Path) -> SuiteWithModel:
    """A business whose tables say what one run of identity would leave."""
    made = business(spark, folder / "shop", folder / "lake", MlflowSettings(), PROBABLE).suite
    settings = made.pack.identity.matching
    assert settings is not None
    suite = _with_registry(made, settings.model_hash)
    _write(suite, silver.CUSTOMER_RECORD, rows(spark, silver.CUSTOMER_RECORD, *map(_record, PEOPLE.items())))
    links = rows(spark, identity.IDENTITY_LINK, *map(_link, PERSON_OF))
    _write(suite, identity.IDENTITY_LINK, links)
    _write(suite, identity.IDENTITY_EVENT, rows(spark, identity.IDENTITY_EVENT, *EVENTS))
    records = suite.store.read(silver.CUSTOMER_RECORD)
    _write(suite, identity.GOLDEN_RECORD, golden_records(records, links, suite.pack.identity))
    comparable = comparable_records(records, settings)
    pairs = candidate_pairs(block_keys(comparable, settings), (300, 300, 0))
    compares = ByJoins(comparable, settings)
    scored = compares.weigh(compares.compare(pairs), MODEL)
    named = NamedMatcher(Matcher.from_dict(suite.registry.stored.body), "shop-match/3")
    _write(suite, match_pair(settings), named_pairs(kept_pairs(scored, named)))
    apart = Decision(Record("shop", "2"), Record("shop", "7"), "unlink")
    write_decisions(suite, [apart], Book(), origin="command")
    return suite


EVENTS: Sequence[dict[str, Any]] = (
    {"event_type": "merge", "golden_id": "OLD", "into_golden_id": "P1", "source_system": None},
    {"event_type": "retire", "golden_id": "GONE", "into_golden_id": None, "source_system": None},
)


def _record(one: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    source, record_id = one[0].split(":")
    return {"source_system": source, "source_record_id": record_id, "source_updated_at": AT, **one[1]}


def _link(name: str) -> dict[str, Any]:
    record = Record(*name.split(":"))
    is_near = name not in ("crm:5",)
    return {
        "source_system": record.source_system,
        "source_record_id": record.source_record_id,
        "golden_id": PERSON_OF[name],
        "cluster_id": f"c{PERSON_OF[name]}",
        "component_id": "near" if is_near else "far",
        "matched_by": TIED_BY.get(name),
        "founding_record": Record("crm", "1").hash + "0" * 32,
        "linked_at": AT,
    }


def _write(suite: Suite, table: Table, frame: DataFrame) -> None:
    fitted = fit_to_table(frame.drop("_run_id", "_record_hash"), table, run_id="run-1")
    with suite.store.batch(table, fitted) as batch:
        suite.store.write(batch, Stamp("test", "run-1", 1))


@pytest.fixture
def ask(suite: SuiteWithModel) -> Iterator[Callable[..., str]]:
    """What the terminal shows for a question."""

    def asked(of: Suite | None = None, **question: Any) -> str:
        file = io.StringIO()
        explain(Console(file=file, width=160), of or suite, Question(**question))
        return file.getvalue()

    return asked


def hidden(name: str) -> str:
    return Record(*name.split(":")).hidden


def test_a_record_is_told_with_its_person_and_every_tie_of_its_own(ask) -> None:
    said = ask(record="crm:1")

    assert "crm:1 is person P1" in said
    assert "component   near" in said
    assert "matched by  member_no,match" in said
    assert hidden("shop:2") in said
    assert "exact identifiers shared: member_no" in said
    assert "exact identifiers shared: none" in said
    assert "stored: " in said
    assert "bits by shop-match/3, the same" in said
    assert "rule last_name & birth_date: 4 records, at most 300 compared" in said


def test_no_personal_value_and_no_id_that_was_not_typed_is_shown_unasked(suite: SuiteWithModel, ask) -> None:
    said = ask(record="crm:1")
    assert suite.ledger.rows(ops.AUDIT) == []

    for secret in ("nnabel", "ayleigh", "a.test", "1980-04-02", "shop:2", "m1"):
        assert secret not in said
    assert "a***" in said
    shown = ask(record="crm:1", shows_values=True)
    assert "annabel" in shown
    assert "shop:2" in shown
    (deed,) = suite.ledger.rows(ops.AUDIT)
    assert (deed["action"], deed["subject"]) == ("explain_values", Record("crm", "1").hash)


def test_the_bits_on_the_screen_add_up_to_the_sum_on_the_screen(ask) -> None:
    said = ask(why_not=("crm:1", "shop:6"))

    table = said[said.index("agreement") :].splitlines()[1:]
    figures: list[float] = []
    for line in table:
        words = [word for word in line.split() if word.replace(".", "").lstrip("+-").isdigit() and "." in word]
        if line.startswith("sum"):
            assert round(sum(figures), 2) == float(words[-1])
            return
        figures += map(float, words)
    pytest.fail("no sum")


def test_a_masked_id_can_be_typed_in_again(ask) -> None:
    assert "shop:4 is person P4" in ask(record="shop:4")
    assert f"{hidden('shop:4')} is person P4" in ask(record=hidden("shop:4"))
    assert "No other record is this person." in ask(record=hidden("shop:4"))


def test_an_old_id_leads_to_todays_person_with_chains_and_survivorship(ask) -> None:
    said = ask(golden_id="OLD")

    assert "OLD is an old id: since a merge the person is P1." in said
    assert "person P1: 3 records" in said
    assert "the founding record" in said
    assert f"the same member_no with {hidden('crm:1')}" in said
    assert f"bits with {hidden('crm:1')}" in said
    email = next(line for line in said.splitlines() if line.lstrip().startswith("email"))
    assert hidden("shop:2") in email
    assert "longest" in email
    assert f"another value: {hidden('crm:1')}" in email
    city = [line for line in said.splitlines() if line.lstrip().startswith("city")]
    assert city == []


def test_an_id_without_records_is_said_to_be_retired(ask) -> None:
    assert "GONE was retired: no record of this person is left." in ask(golden_id="GONE")


def _reasons(said: str) -> list[str]:
    return [line.strip() for line in said.splitlines() if line.strip()[:1].isdigit() and ". " in line]


def test_a_decision_is_the_first_reason(ask) -> None:
    said = ask(why_not=("shop:2", "shop:7"))

    assert "shop:2 and shop:7 are two people, P1 and P7:" in said
    assert _reasons(said)[0].startswith("1. A person decided that they are two on 20")
    assert "must not be one person" in _reasons(said)[-1]


def test_a_unique_identifier_that_differs_is_a_reason(ask) -> None:
    assert _reasons(ask(why_not=("crm:1", "shop:6")))[0] == "1. Their member_no differs, and a person has only one."


def test_a_veto_comes_before_the_weight(ask) -> None:
    first, *more = _reasons(ask(why_not=("crm:1", "shop:4")))

    assert first == "1. A veto forbids it: same email, but another birth_date."
    assert "below the threshold" in more[0]
    assert "must not be one person" in more[1]


def test_strangers_of_one_list_were_never_compared(ask) -> None:
    said = _reasons(ask(why_not=("crm:1", "crm:5")))

    assert said[0].startswith("1. Both come from crm, which lists everybody once")
    assert "below the threshold of -2.00" in said[1]
    assert said[2] == "3. No blocking rule brings them together, so they were never compared."


def test_a_value_that_is_nobodys_own_is_named_as_such(ask) -> None:
    said = _reasons(ask(why_not=("shop:3", "crm:5")))

    assert said[0] == "1. They share phone, but the pack says that the value is nobody's own (`blocked`)."


def test_a_block_over_its_limit_is_told_with_its_size(ask) -> None:
    said = ask(why_not=("shop:3", "shop:2"))

    assert "shop:3 and shop:2 are one person, P1:" in said
    assert "Nothing ties these two directly" in said
    assert f"Strongest chain: the same member_no with {hidden('crm:1')}, then " in said
    assert "rule first_name" in ask(why_not=("crm:1", "shop:6"))
    assert "a rule left out as too loose: NOT compared" in ask(why_not=("crm:1", "shop:6"))


def test_the_files_hold_the_sum_and_nobodys_values(ask, tmp_path: Path) -> None:
    page, picture = tmp_path / "new" / "pair.html", tmp_path / "pair.png"
    said = ask(why_not=("crm:1", "shop:2"), html=page, png=picture, shows_values=True)

    text = page.read_text()
    assert f"{page}: drawn" in said.replace("\n", "")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert hidden("crm:1") in text
    assert "data:image/png;base64," in text
    assert "http:" not in text
    assert "https:" not in text
    for secret in ("nnabel", "ayleigh", "a.test", "crm:1<", ">shop:2"):
        assert secret not in text


def test_the_page_of_a_person_draws_its_first_tie(ask, tmp_path: Path) -> None:
    ask(golden_id="P1", png=tmp_path / "pair.png")

    assert (tmp_path / "pair.png").read_bytes().startswith(b"\x89PNG")


def test_a_pack_without_probable_matching_explains_its_exact_ties(spark, suite, ask, tmp_path: Path) -> None:
    exact = business(spark, tmp_path / "exact", tmp_path / "lake", MlflowSettings(), EXACT).suite
    spoken = Suite(**{one.name: getattr(exact, one.name) for one in fields(exact)} | {"store": suite.store})

    said = ask(of=spoken, record="crm:1")
    assert "exact identifiers shared: member_no" in said
    assert "agreement" not in said
    assert _reasons(ask(of=spoken, why_not=("crm:1", "crm:5"))) == [
        "1. They share no exact identifier, and the pack has no probable matching (`matching` in its identity.yml)."
    ]
    with pytest.raises(IdentityError, match=r"Nothing to draw: pack exact has no probable matching.*--html"):
        ask(of=spoken, record="crm:1", png=tmp_path / "none.png")


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        ({}, ConfigError, r"Ask one thing: --record SOURCE:ID"),
        ({"record": "crm:1", "golden_id": "P1"}, ConfigError, r"Ask one thing"),
        ({"record": "crm"}, IdentityError, r"'crm' names no record.*SOURCE:RECORD_ID"),
        ({"record": "cmr:1"}, IdentityError, r"unknown source 'cmr'.*crm"),
        ({"record": "crm:nobody"}, IdentityError, r"crm:nobody: no such record.*cdp run daily"),
        ({"record": "shop:8"}, IdentityError, r"shop:8: no run has linked this record yet.*cdp run daily"),
        ({"record": "shop:9"}, IdentityError, r"shop:9: the record is gone since it was linked.*cdp run daily"),
        ({"golden_id": "never"}, IdentityError, r"never: no person has or had this golden_id.*--record"),
        ({"why_not": ("crm:1", "crm:1")}, IdentityError, r"crm:1 is named twice. Name two records"),
        ({"record": "crm:5", "png": Path("none.png")}, IdentityError, r"Nothing to draw.*weighs no pair"),
    ],
)
def test_what_cannot_be_answered_says_what_to_do(ask, question, error: type[CdpError], message: str) -> None:
    with pytest.raises(error, match=message):
        ask(**question)


def test_a_missing_or_outdated_model_names_the_cure(suite: SuiteWithModel, ask) -> None:
    with pytest.raises(ModelError, match=r"no match model yet.*cdp run daily"):
        ask(of=_with_registry(suite, None), record="crm:1")
    with pytest.raises(ModelError, match=r"shop-match/3 was trained under other matching settings.*cdp run daily"):
        ask(of=_with_registry(suite, "other"), record="crm:1")


def test_before_the_first_run_the_cure_is_named(spark, ask, tmp_path: Path) -> None:
    empty = business(spark, tmp_path / "empty", tmp_path / "lake", MlflowSettings(), EXACT).suite

    with pytest.raises(StorageError, match=r"silver/identity_link does not exist. First: cdp run daily"):
        ask(of=empty, record="crm:1")
