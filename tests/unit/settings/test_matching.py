"""The `matching` section: whole without a word said, and strict about names."""

import pytest
from pydantic import ValidationError

from cdp_lib.settings.identity import Identity
from cdp_lib.settings.matching import BlockingRule, Comparison, Matching


def test_without_a_word_what_every_business_has_is_compared():
    assert {"first_name", "last_name", "birth_date", "email", "phone"} <= set(Matching().fields)


def test_a_pack_without_the_section_matches_exactly_and_an_empty_one_takes_the_defaults():
    assert Identity(kind="identity").matching is None
    assert Identity.model_validate({"kind": "identity", "matching": {}}).matching == Matching()


def test_a_model_is_learned_anew_only_where_the_settings_bear_on_it():
    default = Matching()

    assert default.model_copy(update={"together": 0.0, "review_pairs": 7}).model_hash == default.model_hash
    assert default.model_copy(update={"false_pairs": 0.1}).model_hash != default.model_hash
    assert default.model_copy(update={"one_record_per_source": ("crm",)}).model_hash != default.model_hash


def test_a_rule_is_named_by_what_it_asks_to_agree():
    assert BlockingRule(on=("last_name", "birth_date")).name == "last_name & birth_date"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (
            {"vetoes": [{"same": ["adress"], "different": ["birth_date"]}]},
            "vetoes: no comparison has the field 'adress'",
        ),
        (
            {"rivals": [{"name": "household", "shared": ["addres"]}]},
            "rivals: no comparison.*Did you mean 'address'",
        ),
        ({"comparisons": [{"field": "phone", "kind": "phone"}] * 2}, "a field is compared twice"),
        (
            {"comparisons": [{"field": "first_name", "kind": "name", "swapped_with": "surname"}]},
            "swapped_with: no comparison has the field 'surname'",
        ),
    ],
)
def test_an_unknown_field_is_named_with_its_place(section, message):
    with pytest.raises(ValidationError, match=message):
        Matching.model_validate(section)


def test_fields_of_other_comparisons_need_no_word_about_rivals():
    assert Matching(comparisons=(Comparison(field="phone", kind="phone"),)).fields == ("phone",)
