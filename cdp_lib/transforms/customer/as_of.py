"""Where a day of the business ends as an instant."""

from datetime import date, datetime, time, timedelta, UTC
from zoneinfo import ZoneInfo


def end_of_day(day: date, time_zone: str) -> datetime:
    """The first instant after `day` in the zone, as UTC: facts of the day lie strictly before it.

    Where clocks skip midnight the next day starts at the jump; where midnight comes twice, at its second coming.
    """
    midnight = datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(time_zone))
    return max(midnight.astimezone(UTC), midnight.replace(fold=1).astimezone(UTC))
