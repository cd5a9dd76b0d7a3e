"""The waterfall's bars lead from the prior to the sum, its labels stay apart, and the page stands alone."""

from dataclasses import replace

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from jobs.decisions import Record
from jobs.explanation.lookup import StoredPair
from jobs.explanation.tables import Compared
from jobs.explanation.weighed import Block, FieldWeight, WeighedPair
from jobs.waterfall import draw, html_page, layout, png_picture

FIELDS = (
    FieldWeight("first_name", "nickname or part", 3.213, 0.0),
    FieldWeight("last_name", "same", 8.127, 2.61),
    FieldWeight("email", "different", -2.114, 0.0),
    FieldWeight("phone", "not known on both sides", 0.0, 0.0),
    FieldWeight("address", "same", 9.9, -1.3),
)


def weighed(*, prior: float = -22.41) -> WeighedPair:
    pair = WeighedPair(FIELDS, prior, -3.18, 0.0, 0.1, (), (Block("last_name & city", 812, 300),), None)
    return replace(pair, total=sum(pair.addends))


def compared(*, prior: float = -22.41, threshold: float = 4.25) -> Compared:
    pair = weighed(prior=prior)
    values = {Record("crm", "1"): {"first_name": "annabel"}}
    stored = StoredPair(pair.total, False, "email", "cafe-match/3")
    return Compared(Record("crm", "<1>"), Record("shop", "2"), pair, values, stored, threshold)


def test_the_bars_lead_to_the_sum() -> None:
    *steps, total = layout(weighed())

    assert sum(bar.end - bar.start for bar in steps) == pytest.approx(total.end)
    assert [bar.start for bar in steps[1:]] == pytest.approx([bar.end for bar in steps[:-1]])
    assert (steps[0].start, total.start) == (0.0, 0.0)
    assert total.end == weighed().total
    assert round(sum(float(bar.shown) for bar in steps), 2) == float(total.shown)


def test_each_bar_says_which_way_it_leads_and_rarity_stands_apart() -> None:
    assert [(bar.label, bar.kind) for bar in layout(weighed())] == [
        ("two records of whom nothing is known", "start"),
        ("first_name: nickname or part", "for"),
        ("last_name: same", "for"),
        ("last_name: the value is rare", "for"),
        ("email: different", "against"),
        ("phone: not known on both sides", "nothing"),
        ("address: same", "for"),
        ("address: the value is frequent", "against"),
        ("household or namesake explains it too", "against"),
        ("sum", "sum"),
    ]


@pytest.mark.parametrize("prior", [-40.0, -22.41, -12.0])
@pytest.mark.parametrize("threshold", [-3.0, 0.0, 4.25, 30.0])
def test_no_label_lies_on_another_or_outside(prior: float, threshold: float) -> None:
    figure = draw(compared(prior=prior, threshold=threshold))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    axes, renderer = figure.axes[0], canvas.get_renderer()
    texts = [*axes.texts, *axes.get_yticklabels(), axes.title]
    boxes = [text.get_window_extent(renderer) for text in [*axes.texts, *axes.get_yticklabels()]]

    assert len(texts) == 2 * len(layout(weighed())) + 2
    for place, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 <= box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[place + 1 :])


def test_a_threshold_that_no_weight_reaches_is_not_drawn() -> None:
    axes = draw(compared(threshold=float("inf"))).axes[0]

    assert not any("threshold" in text.get_text() for text in axes.texts)


def test_the_title_says_what_came_of_the_weight() -> None:
    pair = compared()
    assert pair.weighed.blocking_rule is None
    far = replace(pair, threshold=pair.weighed.total + 1)
    near = replace(pair, threshold=pair.weighed.total - 1)
    linked = replace(near, weighed=replace(near.weighed, blocking_rule="email"))
    endless = replace(linked, threshold=float("inf"))
    said = [html_page(one) for one in (far, near, linked, endless)]
    wanted = ("below the threshold", "but no rule compares the two", "above the threshold", "and no weight is enough")
    assert all(words in page for words, page in zip(wanted, said, strict=True))
    assert "no threshold: at every weight too many of the pairs would be wrong" in said[3]


def test_the_same_pair_gives_the_same_picture() -> None:
    assert png_picture(compared()) == png_picture(compared())


def test_the_page_needs_nothing_else_and_names_nobody() -> None:
    page = html_page(compared())

    assert "http:" not in page
    assert "https:" not in page
    assert "annabel" not in page
    assert "<1>" not in page
    assert Record("crm", "<1>").hidden in page
    assert "<td>last_name</td><td>same</td><td>+8.13</td><td>+2.61</td>" in page
    assert "rule last_name &amp; city: 812 records, at most 300 compared: NOT compared" in page
    assert "below the threshold" in page
