"""Options that several commands share."""

import pytest
import typer

from cdp_lib.errors import ConfigError
from jobs.options import day_of, told_plainly


@pytest.mark.parametrize("level", ["debug", "Info", "WARNING", None])
def test_a_log_level_may_be_written_in_any_case(level: str | None) -> None:
    with told_plainly(level):
        pass


def test_an_unknown_log_level_is_told_with_its_near_miss(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), told_plainly("debg"):
        pytest.fail("nothing runs under a level that nobody knows")
    assert capsys.readouterr().err == "unknown --log-level 'debg'. Did you mean 'DEBUG'?\n"


def test_a_date_that_is_none_is_told_by_the_option_that_named_it() -> None:
    with pytest.raises(ConfigError, match=r"^--on '2025-13-01' is not a date such as 2025-01-31$"):
        day_of("2025-13-01", "--on")
    with pytest.raises(ConfigError, match=r"^--as-of 'today' is not a date"):
        day_of("today")
