"""Charts of a training are drawn with what they are told."""

from cdp_lib.models.charts import Bars, Curves, draw


def test_bars_have_a_panel_each_and_a_legend_for_several_series() -> None:
    figure = draw(
        Bars("What it weighs", "bits", {"name": {"same": [3.0, 1.0]}, "city": {"same": [1.0, 2.0]}}, ("m", "u"))
    )

    assert [axis.get_title(loc="left") for axis in figure.axes] == ["name", "city"]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["m", "u"]


def test_curves_are_drawn_over_the_diagonal() -> None:
    figure = draw(Curves("ROC", "false", "true", {"model": ([0.0, 0.2, 1.0], [0.0, 0.9, 1.0])}, diagonal=True))

    lines = figure.axes[0].get_lines()
    assert list(lines[0].get_ydata()) == [0.0, 0.9, 1.0]
    assert list(lines[1].get_xdata()) == list(lines[1].get_ydata())
    assert figure.axes[0].get_xlabel() == "false"
