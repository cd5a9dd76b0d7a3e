"""What only a run would refuse, hours later, is a fault of validation."""

import pytest
import yaml

from cdp_lib.io.yaml_files import load_pack
from tests.unit.settings.conftest import LoadFaults, PACK, TRAITS, WritePack
from tests.unit.settings.test_activation import documents, says
from tests.unit.settings.test_audience import SCORES
from tests.unit.settings.test_faults import TRAIT


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("phone_region: UK", "phone_region: unknown ISO 3166 region 'UK'. Did you mean 'GB'?"),
        ("phone_region: XX", "phone_region: unknown ISO 3166 region 'XX'."),
        ("phone_region: de", "phone_region: unknown ISO 3166 region 'de'."),
        ("placeholders: ['(desk']", "placeholders: '(desk' is no pattern: missing ), unterminated subpattern"),
        ("placeholders: ['^desk', '']", "placeholders: '' is found in every value, and would take all of them for"),
        ("placeholders: ['x*']", "placeholders: 'x*' is found in every value"),
        ("placeholders: ['.+']", "placeholders: '.+' is found in every value"),
    ],
)
def test_a_pack_that_cleaning_would_refuse_is_a_fault(faults_of: LoadFaults, line: str, fault: str) -> None:
    (found,) = faults_of(pack=f"{PACK}{line}\n")
    assert found.startswith(f"pack.yml: pack.{fault}")


def test_patterns_as_java_writes_them_are_none(write_pack: WritePack) -> None:
    patterns = [r"^\p{Punct}+$", r"^(?<one>.)\k<one>{3,}$", "^[a-z&&[^x]]$", "^$"]
    folder = write_pack(pack=PACK + yaml.safe_dump({"placeholders": patterns}))
    assert load_pack(str(folder), folder.parent).info.placeholders == tuple(patterns)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{{ customer.city | capitalise }}", "line 1: no filter is called 'capitalise'. Did you mean 'capitalize'?"),
        ("Hi\n{% if 1 %}{{ 'x' | uper }}{% endif %}", "line 2: no filter is called 'uper'. Did you mean 'upper'?"),
        ("{% if customer.city is definde %}x{% endif %}", "line 1: no test is called 'definde'. Did you mean 'defined"),
        ("{% block a %}{% endblock %}{% block a %}{% endblock %}", "not a Jinja template, line 1: block 'a' defined"),
    ],
)
def test_a_template_that_could_not_be_rendered_is_a_fault(faults_of: LoadFaults, text: str, fault: str) -> None:
    found = faults_of(campaigns=documents(message=says(text)))
    assert found[0].startswith(f"campaigns.yml: messages[0]: texts.en.text: {fault}")


def test_a_limit_that_would_null_every_value_is_a_fault(faults_of: LoadFaults) -> None:
    (found,) = faults_of(identity="kind: identity\nshared_value_limits: {email: 0}\n")
    assert found.startswith("identity.yml: identity.shared_value_limits.email: Input should be greater than or equal")


@pytest.mark.parametrize(
    ("name", "table"), [("churn_band", "gold.churn_score"), ("segment_rfm", "gold.segment_member")]
)
def test_a_trait_that_is_called_like_a_score_is_a_fault(faults_of: LoadFaults, name: str, table: str) -> None:
    named = TRAIT.replace("name: x", f"name: {name}")
    assert faults_of(traits=f"{TRAITS}---\n{named}", models=SCORES) == [
        f"traits.yml: traits[3].name: '{name}' is a column of {table}; choose another name"
    ]
