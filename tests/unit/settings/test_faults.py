"""What is wrong with a pack is said with file, key path and near-miss, one message per fault."""

import pytest

from tests.unit.settings.conftest import EXPORTS, IDENTITY, LoadFaults, PACK, RULES, SOURCES, TRAITS

TRAIT = "kind: trait\nname: x\nfrom: order\nselect: count(*)\n"


def spoiled(text: str, old: str, new: str) -> str:
    """The text with one place changed; the place must exist."""
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        (
            "pack",
            spoiled(PACK, "currency", "curency"),
            "pack.curency: unknown key 'curency'. Did you mean 'currency'?",
        ),
        (
            "pack",
            spoiled(PACK, "EUR", "Euro"),
            "pack.currency: String should match pattern '^[A-Z]{3}$' (found 'Euro')",
        ),
        (
            "pack",
            spoiled(PACK, "Europe/Berlin", "Europe/Berlim"),
            "pack.time_zone: unknown time zone 'Europe/Berlim'. Did you mean 'Europe/Berlin'?",
        ),
        (
            "pack",
            spoiled(PACK, "kind: pack", "kind: pakc"),
            "pakcs[0]: unknown kind 'pakc'. Did you mean 'pack'?",
        ),
        (
            "sources",
            spoiled(SOURCES, "format: csv", "format: cvs"),
            "sources[0].read.format: unknown value 'cvs'. Did you mean 'csv'?",
        ),
        (
            "sources",
            spoiled(SOURCES, "type: timestamp", "type: timestmap"),
            "sources[0].columns.at.type: unknown type 'timestmap'. Did you mean 'timestamp'?",
        ),
        (
            "sources",
            spoiled(SOURCES, "pii: online_id", "pii: online_di"),
            "sources[0].columns.card.pii: unknown value 'online_di'. Did you mean 'online_id'?",
        ),
        (
            "sources",
            spoiled(SOURCES, "required: true", "requierd: true"),
            "sources[0].columns.at.requierd: unknown key 'requierd'. Did you mean 'required'?",
        ),
        (
            "sources",
            spoiled(SOURCES, 'read: {format: csv, path: "door/*.csv"}\n', ""),
            "sources[0].read: is missing",
        ),
        (
            "sources",
            spoiled(SOURCES, "key: [swipe_id]", "key: [swip_id]"),
            "sources[0]: key names unknown columns ['swip_id']; columns are ['at', 'card', 'paid', 'swipe_id']",
        ),
        (
            "sources",
            spoiled(SOURCES, "paid >= 0", "piad >= 0"),
            "sources[0].columns.paid.expect[0]: unknown column 'piad' in 'piad >= 0'. Did you mean 'paid'?",
        ),
        (
            "sources",
            spoiled(SOURCES, "paid >= 0", "sum(paid) >= 0"),
            "sources[0].columns.paid.expect[0]: 'sum(paid) >= 0' aggregates rows, but only one row is looked at here",
        ),
        (
            "sources",
            spoiled(SOURCES, "to: order", "to: oder"),
            "sources[0].feeds[0].to: unknown entity 'oder'. Did you mean 'order'?",
        ),
        (
            "sources",
            spoiled(SOURCES, "paid_amount: paid", "payed_amount: paid"),
            "sources[0].feeds[0].map.payed_amount: unknown column 'payed_amount' of order. Did you mean 'paid_amount'?",
        ),
        (
            "sources",
            spoiled(SOURCES, "paid_amount: paid, ", ""),
            "sources[0].feeds[0].map: order needs paid_amount",
        ),
        (
            "sources",
            spoiled(SOURCES, "paid_amount: paid", "paid_amount: sum(paid)"),
            "sources[0].feeds[0].map.paid_amount: 'sum(paid)' aggregates rows: name the group's columns in group_by",
        ),
        (
            "sources",
            spoiled(SOURCES, "  - to: order\n", "  - to: order\n    group_by: [swip_id]\n"),
            "sources[0].feeds[0].group_by[0]: unknown column 'swip_id'. Did you mean 'swipe_id'?",
        ),
        (
            "sources",
            spoiled(SOURCES, "  - to: order\n", "  - to: order\n    group_by: [swipe_id, card, at]\n"),
            "sources[0].feeds[0].map.paid_amount: 'paid' in 'paid' has many values in a group: "
            "aggregate it, e.g. min(paid)",
        ),
        (
            "sources",
            spoiled(SOURCES, "  - to: order\n", "  - to: order\n    where: at IS NOT\n"),
            "sources[0].feeds[0].where: not a Spark SQL expression",
        ),
        (
            "traits",
            spoiled(TRAITS, "from: order", "from: orders"),
            "traits[0].from: unknown entity 'orders'. Did you mean 'order'?",
        ),
        (
            "traits",
            spoiled(TRAITS, "sum(paid_amount)", "sum(payd_amount)"),
            "traits[1].select: unknown column 'payd_amount' in 'payd_amount'. Did you mean 'paid_amount'?",
        ),
        (
            "traits",
            spoiled(TRAITS, "sum(paid_amount)", "sum(*)"),
            "traits[1].select: only count takes *, not sum",
        ),
        (
            "traits",
            spoiled(TRAITS, "sum(paid_amount)", "sum(max(paid_amount))"),
            "traits[1].select: 'max(paid_amount)' aggregates rows, but only one row is looked at here",
        ),
        (
            "traits",
            spoiled(TRAITS, "sum(paid_amount)", "sum(paid_amount * 2)"),
            "traits[1].type: the type of 'sum(paid_amount * 2)' cannot be derived; write `type:`, e.g. "
            "type: decimal(18,2)",
        ),
        (
            "traits",
            spoiled(TRAITS, "sum(paid_amount)", "median(paid_amount)"),
            "traits[1]: select 'median(paid_amount)' is not one of count, count_distinct, sum",
        ),
        (
            "traits",
            spoiled(TRAITS, "window: 90d", "window: 3 months"),
            "traits[1].window: window '3 months' is not a number of days such as 90d",
        ),
        (
            "traits",
            spoiled(TRAITS, "window: 90d", "where: paid_amount > current_timestamp()"),
            "traits[1].where: 'current_timestamp' in 'paid_amount > current_timestamp()' may answer otherwise",
        ),
        (
            "traits",
            spoiled(TRAITS, "ratio(spend_90d,", "ratio(spend_9d,"),
            "traits[2].select: unknown trait 'spend_9d'. Did you mean 'spend_90d'?",
        ),
        (
            "traits",
            spoiled(TRAITS, "ratio(spend_90d, visit_count)", "ratio(spend_90d, visit_count)\nwhere: visit_count > 1"),
            "traits[2]: a trait from customer has no facts to filter: remove where and window",
        ),
        (
            "traits",
            f"{TRAITS}---\n{spoiled(TRAIT, 'name: x', 'name: email')}",
            "traits[3].name: 'email' is a fixed column of gold.customer; choose another name",
        ),
        (
            "traits",
            f"{TRAITS}---\n{spoiled(TRAIT, 'name: x', 'name: visit_count')}",
            "traits[3]: trait 'visit_count' stands already in traits.yml as traits[0]",
        ),
        (
            "traits",
            f"{TRAITS}---\n{spoiled(TRAIT, 'name: x', 'name: Visit Count')}",
            "traits[3].name: String should match pattern '^[a-z][a-z0-9_]*$' (found 'Visit Count')",
        ),
        (
            "identity",
            spoiled(IDENTITY, "field: card", "field: crad"),
            "identity.identifiers[0].field: no source feeds identifier 'crad'. Did you mean 'card'?",
        ),
        (
            "identity",
            spoiled(IDENTITY, "[door]", "[dor]"),
            "identity.source_priority[0]: unknown source 'dor'. Did you mean 'door'?",
        ),
        (
            "identity",
            f"{IDENTITY}survivorship: {{emial: [newest]}}\n",
            "identity.survivorship.emial: unknown field 'emial'. Did you mean 'email'?",
        ),
        (
            "identity",
            f"{IDENTITY}survivorship: {{email: [newst]}}\n",
            "identity.survivorship.email[0]: unknown value 'newst'. Did you mean 'newest'?",
        ),
        (
            "exports",
            spoiled(EXPORTS, "Visits: visit_count", "Visits: visits_count"),
            "exports[0].columns.Visits: unknown column 'visits_count' in 'visits_count'. Did you mean 'visit_count'?",
        ),
        (
            "exports",
            spoiled(EXPORTS, "order_by: [Golden_ID]", "order_by: [Golden_Id]"),
            "exports[0].order_by[0]: unknown export column 'Golden_Id'. Did you mean 'Golden_ID'?",
        ),
        (
            "exports",
            spoiled(EXPORTS, "source_systems: [door]", "source_systems: [doors]"),
            "exports[0].also_known_as.source_systems[0]: unknown source 'doors'. Did you mean 'door'?",
        ),
        (
            "rules",
            spoiled(RULES, "[silver.order,", "[silver.ordr,"),
            "rules[0].tables[0]: no table is called 'silver.ordr'. Did you mean 'silver.order'?",
        ),
        (
            "rules",
            spoiled(RULES, '"bronze.door*"', '"bronze.desk*"'),
            "rules[1].tables[0]: no table is called 'bronze.desk*'.",
        ),
        (
            "rules",
            spoiled(RULES, "silver.product", "silver.products"),
            "rules[0].referential.found_in: no table is called 'silver.products'. Did you mean 'silver.product'?",
        ),
        (
            "rules",
            spoiled(RULES, "found_in: silver.product", "found_in: silver.product, found_columns: [curency]"),
            "rules[0].referential.found_columns: unknown column 'curency' of silver.product. Did you mean 'currency'?",
        ),
        (
            "rules",
            spoiled(RULES, "column: _ingested_at", "column: _injested_at").replace('"bronze.door*"', "bronze.door"),
            "rules[1].freshness.column: unknown column '_injested_at' of bronze.door. Did you mean '_ingested_at'?",
        ),
        (
            "rules",
            spoiled(RULES, "share: visit_count > 0", "share: visits_count > 0"),
            "rules[2].drift.share: unknown column 'visits_count' in 'visits_count > 0'. Did you mean 'visit_count'?",
        ),
        (
            "sources",
            spoiled(SOURCES, "door/*.csv", "../door/*.csv"),
            "sources[0].read.path: path '../door/*.csv' leads out of the landing folder; write it relative, without ..",
        ),
        (
            "sources",
            spoiled(SOURCES, "card: {type: string", "card: {header: at, type: string"),
            "sources[0]: two columns are read from header 'at'; a value has one place",
        ),
    ],
)
def test_one_fault_gives_one_message_with_place_and_near_miss(
    faults_of: LoadFaults, file: str, text: str, fault: str
) -> None:
    found = [line for line in faults_of(**{file: text}) if not line.startswith("gym: ")]
    assert len(found) == 1
    assert found[0].startswith(f"{file}.yml: {fault}")


def test_unknown_functions_are_found_when_the_known_ones_are_given(faults_of: LoadFaults) -> None:
    text = spoiled(SOURCES, "paid_amount: paid", "paid_amount: clamp_to(paid)")
    assert faults_of(functions=("clamp", "abs"), sources=text) == [
        "sources.yml: sources[0].feeds[0].map.paid_amount: "
        "unknown function 'clamp_to' in 'clamp_to(paid)'. Did you mean 'clamp'?"
    ]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("paid AS amount", "the key is the name: remove AS amount from 'paid AS amount'"),
        ("SELECT paid", "not one Spark SQL expression but a statement or query: 'SELECT paid'"),
        ("paid; card", "not one Spark SQL expression but a statement or query: 'paid; card'"),
        ("(SELECT max(paid))", "not one Spark SQL expression but a statement or query: '(SELECT max(paid))'"),
        ("paid +", "not a Spark SQL expression"),
        ("rand() * paid", "'rand' in 'rand() * paid' may answer otherwise in another run, or reads more than its row"),
    ],
)
def test_a_leaf_must_be_one_steady_expression(faults_of: LoadFaults, expression: str, said: str) -> None:
    (found,) = faults_of(sources=spoiled(SOURCES, "paid_amount: paid", f'paid_amount: "{expression}"'))
    assert found.startswith(f"sources.yml: sources[0].feeds[0].map.paid_amount: {said}")


def test_traits_computed_from_each_other_name_the_circle(faults_of: LoadFaults) -> None:
    circle = "".join(
        f"---\nkind: trait\nname: {name}\nfrom: customer\nselect: {other} + 1\ntype: int\n"
        for name, other in ("ab", "bc", "ca")
    )
    assert faults_of(traits=TRAITS + circle) == [
        "traits.yml: traits[3].select: 'a' is computed from itself: a -> b -> c -> a",
        "traits.yml: traits[4].select: 'b' is computed from itself: b -> c -> a -> b",
        "traits.yml: traits[5].select: 'c' is computed from itself: c -> a -> b -> c",
    ]


def test_a_trait_over_a_circle_is_not_blamed_for_it(faults_of: LoadFaults) -> None:
    more = "".join(
        f"---\nkind: trait\nname: {name}\nfrom: customer\nselect: {other} + 1\ntype: int\n"
        for name, other in ("ab", "bb")
    )
    assert faults_of(traits=TRAITS + more) == ["traits.yml: traits[4].select: 'b' is computed from itself: b -> b"]


def test_faults_of_all_files_come_together(faults_of: LoadFaults) -> None:
    found = faults_of(
        pack=spoiled(PACK, "EUR", "Euro"),
        sources=spoiled(SOURCES, "paid >= 0", "piad >= 0"),
        traits=spoiled(TRAITS, "select: count(*)", "select: count(*)\nwhen: always"),
        exports=spoiled(EXPORTS, "golden_id", "golden_di"),
    )
    assert [line.split(":")[0] for line in found] == ["exports.yml", "pack.yml", "sources.yml", "traits.yml"]


def test_a_name_that_stands_in_a_faulty_document_is_not_called_unknown(faults_of: LoadFaults) -> None:
    found = faults_of(
        sources=spoiled(SOURCES, "format: csv", "format: cvs"),
        traits=spoiled(TRAITS, "select: count(*)", "select: count(*)\nwhen: always"),
    )
    assert [line.split(": ")[1] for line in found] == ["sources[0].read.format", "traits[0].when"]


def test_a_file_that_cannot_be_read_hides_no_fault_of_the_others_and_makes_none(faults_of: LoadFaults) -> None:
    found = faults_of(traits="kind: trait\nname: [visit_count\n", exports=spoiled(EXPORTS, "golden_id", "golden_id +"))
    assert len(found) == 2
    assert found[0].startswith("exports.yml: exports[0].columns.Golden_ID: not a Spark SQL expression")
    assert found[1].startswith("traits.yml: line 3, column 1: not YAML: ")


def test_a_lost_sources_file_is_not_also_called_missing(faults_of: LoadFaults) -> None:
    (found,) = faults_of(sources="kind: source\n\tid: door\n")
    assert found.startswith("sources.yml: line 2, column 1: not YAML: ")
