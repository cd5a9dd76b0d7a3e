"""Options that several commands share."""

import pytest
import typer

from jobs.options import told_plainly


@pytest.mark.parametrize("level", ["debug", "Info", "WARNING", None])
def test_a_log_level_may_be_written_in_any_case(level: str | None) -> None:
    with told_plainly(level):
        pass


def test_an_unknown_log_level_is_told_with_its_near_miss(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), told_plainly("debg"):
        pytest.fail("nothing runs under a level that nobody knows")
    assert capsys.readouterr().err == "unknown --log-level 'debg'. Did you mean 'DEBUG'?\n"
