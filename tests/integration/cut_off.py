"""Runs that end at a point that the test names, as when the power goes."""

from collections.abc import Callable

from jobs.compose import Suite


class PowerCutError(BaseException):
    """Nothing that a job or its runner would take for a fault."""


def cut_off_at(suite: Suite, point: str) -> Suite:
    """The suite, whose runs end when that point of workflow/failpoints.py is reached."""

    class CutOffSuite(Suite):
        @property
        def failpoint(self) -> Callable[[str], None]:
            def reached(here: str) -> None:
                if here == point:
                    raise PowerCutError

            return reached

    return CutOffSuite(**vars(suite))
