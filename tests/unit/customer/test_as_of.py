from datetime import date, datetime, UTC

import pytest

from cdp_lib.transforms.customer.as_of import end_of_day


@pytest.mark.parametrize(
    ("day", "time_zone", "instant"),
    [
        (date(2025, 1, 31), "UTC", datetime(2025, 2, 1, 0, tzinfo=UTC)),
        (date(2025, 1, 31), "Asia/Bangkok", datetime(2025, 1, 31, 17, tzinfo=UTC)),
        (date(2025, 3, 8), "America/New_York", datetime(2025, 3, 9, 5, tzinfo=UTC)),
        (date(2025, 3, 9), "America/New_York", datetime(2025, 3, 10, 4, tzinfo=UTC)),
        (date(2025, 11, 2), "America/New_York", datetime(2025, 11, 3, 5, tzinfo=UTC)),
    ],
)
def test_a_day_ends_at_local_midnight_also_when_clocks_change(day, time_zone, instant):
    assert end_of_day(day, time_zone) == instant


def test_where_clocks_skip_midnight_the_day_ends_at_the_jump():
    assert end_of_day(date(2024, 3, 30), "Asia/Beirut") == datetime(2024, 3, 30, 22, tzinfo=UTC)


def test_where_midnight_comes_twice_the_day_ends_at_its_second_coming():
    assert end_of_day(date(2009, 10, 31), "America/Goose_Bay") == datetime(2009, 11, 1, 4, tzinfo=UTC)
