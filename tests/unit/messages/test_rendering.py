"""A message says what it should or nothing at all."""

from typing import Any

import pytest

from cdp_lib.errors import DeliveryError
from cdp_lib.messages.rendering import MissingFieldError, Renderer
from cdp_lib.settings.activation import Message

CONTEXT: dict[str, Any] = {
    "customer": {"first_name": "Anna", "city": None, "points": "", "nick": "  ", "tag": "<b>&"},
    "offer": {"title": "A coffee", "code": "SUN-1"},
    "products": [{"name": "Latte", "category": None}, {"name": "Mocha", "category": "coffee"}],
    "activation": {"id": "hello", "arm": "all"},
    "unsubscribe_url": "https://example.com/u?t=1&c=2",
}


def renderer(default: str = "en", **texts: dict[str, str]) -> Renderer:
    return Renderer(
        Message.model_validate({"kind": "message", "id": "hi", "default_language": default, "texts": texts})
    )


def text(template: str, part: str = "text", **context: Any) -> str:
    return renderer(en={part: template}).render({**CONTEXT, **context})[part]


def test_a_template_is_filled_from_every_root() -> None:
    listed = "{% for p in products %}{{ p.name }} {% endfor %}"
    assert (
        text(f"{{{{ customer.first_name }}}} {{{{ offer.code }}}} {listed}{{{{ activation.arm }}}}")
        == "Anna SUN-1 Latte Mocha all"
    )


@pytest.mark.parametrize(
    ("template", "field"),
    [
        ("Dear {{ customer.city }}", "customer.city"),
        ("Dear {{ customer.nothing }}", "customer.nothing"),
        ("{{ customer.points }}", "customer.points"),
        ("{{ customer.nick }}", "customer.nick"),
        ("{{ customer['city'] }}", "customer.city"),
        ("{{ customer.city | upper }}", "customer.city"),
        ("{{ business.title }}", "business"),
        ("{% if customer.city %}x{% endif %}", "customer.city"),
        ("{% for p in products %}{{ p.category }}{% endfor %}", "products.category"),
    ],
)
def test_a_field_that_nobody_knows_is_an_error_that_names_it(template: str, field: str) -> None:
    with pytest.raises(
        MissingFieldError, match=rf"^message hi, en\.text: {field} is not known\. Write `\| default"
    ) as caught:
        text(template)
    assert "Anna" not in str(caught.value)


def test_empty_roots_are_missing_too() -> None:
    with pytest.raises(MissingFieldError, match="products is not known"):
        text("{% for p in products %}{{ p.name }}{% endfor %}", products=[])
    with pytest.raises(MissingFieldError, match="offer is not known"):
        text("{{ offer.code }}", offer={})


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("Dear {{ customer.city | default('friend') }}", "Dear friend"),
        ("Dear {{ customer.points | default('friend') }}", "Dear friend"),
        ("Dear {{ customer.nothing | default('friend') }}", "Dear friend"),
        ("Dear {{ customer.first_name | default('friend') }}", "Dear Anna"),
        ("{% if customer.city is defined %}x{% else %}y{% endif %}", "y"),
        ("{% for p in products | default([]) %}x{% endfor %}", "xx"),
    ],
)
def test_a_template_may_say_what_stands_in(template: str, filled: str) -> None:
    assert text(template) == filled


def test_only_the_html_part_is_escaped() -> None:
    template = "{{ customer.tag }} {{ unsubscribe_url }}"
    assert text(template, "html") == "&lt;b&gt;&amp; https://example.com/u?t=1&amp;c=2"
    assert text(template, "text") == "<b>& https://example.com/u?t=1&c=2"


def test_the_customers_language_is_spoken_where_there_is_one() -> None:
    both = renderer(default="th", en={"text": "Hello"}, th={"text": "Sawasdee"})
    assert [both.render({}, language)["text"] for language in ("en", "th", "fr", None)] == [
        "Hello",
        "Sawasdee",
        "Sawasdee",
        "Sawasdee",
    ]


@pytest.mark.parametrize("evil", ["A\r\nBcc: all@example.com", "A\nB", "A\rB", "A\u2028B", "A\x0bB", "A\x85B"])
def test_a_subject_is_one_line_whatever_a_name_holds(evil: str) -> None:
    subject = text("Hi {{ customer.first_name }}", "subject", customer={"first_name": evil})
    assert len(subject.splitlines()) == 1
    assert text("{{ customer.first_name }}", customer={"first_name": evil}) == evil


@pytest.mark.parametrize(
    "template",
    [
        "{{ customer.__class__ }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ customer.first_name.__init__.__globals__ }}",
        "{{ products.append(1) }}",
        "{{ ''.format.__self__ }}",
        "{% include 'x' %}",
        "{{ customer.first_name | int + customer.first_name }}",
        "{{ 1 / 0 }}",
        "{% for n in range(999999999) %}{% endfor %}",
    ],
)
def test_templates_reach_nothing_of_python_and_fail_without_telling_values(template: str) -> None:
    with pytest.raises(DeliveryError, match=r"message hi, en\.text: ") as caught:
        text(template)
    assert "Anna" not in str(caught.value)
