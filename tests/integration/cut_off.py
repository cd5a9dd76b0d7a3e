"""Runs that end at a point that the test names, as when the power goes."""

from collections.abc import Callable

from cdp_lib.io.store import DeltaStore
from jobs.compose import Suite


class PowerCutError(BaseException):
    """Caught by no job. The runner notes the run as failed on the way out, which no kill would do: tests/e2e kills."""


def cut_off_at(suite: Suite, point: str) -> Suite:
    """The suite, whose runs end when that point of workflow/failpoints.py is reached."""

    def reached(here: str) -> None:
        if here == point:
            raise PowerCutError

    class CutOffSuite(Suite):
        @property
        def failpoint(self) -> Callable[[str], None]:
            return reached

    store = DeltaStore(suite.store.root, suite.session, at=reached)
    return CutOffSuite(**vars(suite) | {"store": store})
