"""Deliver any number of items to one destination: batches, pace, retries, bisection, journal and stop switch."""

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, KW_ONLY
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from tenacity import RetryCallState, Retrying

from cdp_lib.connectors.batching import accounted, batch_key, batches
from cdp_lib.connectors.halving import Bisection, Request
from cdp_lib.connectors.movers import deliver_in_step
from cdp_lib.connectors.pace import Retry, TokenBucket
from cdp_lib.connectors.protocol import (
    Batch,
    Connector,
    ConnectorKind,
    Item,
    Journal,
    Operation,
    Outcome,
    Receipt,
    Refused,
    Rejected,
    Retryable,
    Unsure,
)
from cdp_lib.errors import DeliveryError

log = logging.getLogger(__name__)

_LOOK_UP_SECONDS = 0.5
"""How long a wait goes on without asking whether to stop."""

_MOST_UNANSWERED = 2
"""Requests in a row whose tries were used up and that may have been taken: one may be to blame itself, two are not."""

_CUT_OFF = "the process ended during the request"
_LACKING = "some of its items can no longer be made, so it is not made again"
_DIFFERING = "its items have texts of their own by now, and it carries one, so it is not made again"
_FORGOTTEN = "the channel may have forgotten its key by now, so it is not made again"


class Stopped(DeliveryError):  # noqa: N818 - a state, in the words of the field
    """Sending was stopped; everything that is known was given before it."""


class Begun(Protocol):
    """A request that a journal saw begin and not end."""

    @property
    def idempotency_key(self) -> str:
        """The key it bore."""

    @property
    def operation(self) -> Operation:
        """What was asked for."""

    @property
    def campaign(self) -> str:
        """The activation's id."""

    @property
    def intent_ids(self) -> tuple[str, ...]:
        """Its items, in their order."""

    @property
    def begun_at(self) -> datetime | None:
        """When it was begun; null: nobody noted it."""


class _Late(DeliveryError):  # noqa: N818 - a state, in the words of the field
    """Some items may no longer be sent."""


class _Broken(DeliveryError):  # noqa: N818 - a state, in the words of the field
    """The connector failed in a way that it does not know itself."""


@dataclass
class Courier:
    """One connector with all that a connector need not know. It makes one request at a time.

    `stop` gives a reason to stop, or None. `per_second` is what the account allows, the channel's usual pace if left
    out; `batch_size` may only lower the channel's own.
    """

    kind: ConnectorKind
    connector: Connector
    journal: Journal
    _: KW_ONLY
    stop: Callable[[], str | None]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    retry: Retry = field(default_factory=Retry)
    per_second: float | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        limits = self.kind.limits
        self._size = min(limits.batch_size, self.batch_size or limits.batch_size)
        self._bucket = TokenBucket(self.per_second or limits.per_second, self.clock)
        # Where no request is made again each counts as one try.
        once = 0 if self.kind.is_idempotent else self.retry.attempts
        self._most_unanswered = max(_MOST_UNANSWERED, once)
        self._unanswered = 0

    def deliver(self, items: Iterable[Item], *, operation: Operation, campaign: str) -> Iterator[tuple[Outcome, ...]]:
        """What became of the items, one tuple per request that settles some; every item is in one tuple.

        Raises Stopped or Refused after everything known was given; items without an outcome were not sent then. A
        channel that takes nothing for as long as it is tried, or leaves several requests in a row without an answer, is
        given up, which is Refused too.
        """
        limits = self.kind.limits
        for group in batches(items, self._size, limits.batch_bytes, shares_parts=self.kind.shares_parts):
            yield from self._settle(Request(Batch(operation, campaign, group)))

    def resume(self, begun: Iterable[Begun], items: Mapping[str, Item]) -> Iterator[tuple[Outcome, ...]]:
        """Outcomes of requests that a crash cut off.

        Where the channel knows their keys still, they are made again, the same items under the same key; all else is
        `unknown`.
        `items`, by intent id, are needed for the former alone; of one that is not there nobody knows whether it left.
        """
        for one in begun:
            here = tuple(items.get(intent_id) or Item(intent_id) for intent_id in one.intent_ids)
            request = Request(Batch(one.operation, one.campaign, here), in_doubt=True)
            hindrance = self._hindrance(one, request, items)
            if hindrance is None:
                self._ask_to_go_on()
                yield from self._settle(request)
            else:
                self.journal.begin(one.idempotency_key, request.batch)
                yield self._noted(request.all_are("unknown", "; ".join(filter(None, (_CUT_OFF, hindrance)))))

    def _hindrance(self, begun: Begun, request: Request, items: Mapping[str, Item]) -> str | None:
        """Why a request is not made again; empty where the channel knows no keys, None where it may be made."""
        if not self.kind.is_idempotent:
            return ""
        if not all(intent_id in items for intent_id in begun.intent_ids):
            return _LACKING
        if request.key != begun.idempotency_key:
            return ""
        if self.kind.shares_parts and len({tuple(sorted(item.parts.items())) for item in request.batch.items}) > 1:
            return _DIFFERING
        if self.kind.key_hours is None:
            return None
        is_known = begun.begun_at is not None and self.clock() - begun.begun_at < timedelta(hours=self.kind.key_hours)
        return None if is_known else _FORGOTTEN

    def _settle(self, first: Request) -> Iterator[tuple[Outcome, ...]]:
        """Until nothing of the batch is open: late items leave it, a refused batch is halved."""
        pending = [first]
        bisection = Bisection()
        while pending:
            request = pending.pop()
            try:
                outcomes = self._outcomes(request)
            except _Late:
                late, rest = request.parted(self.clock())
                outcomes = late.all_are("expired", "its time was over before it could be sent")
                if rest.batch.items:
                    pending.append(rest)
            except Rejected as problem:
                if problem.partly_taken or not bisection.is_hopeless:
                    pending.extend(self._halved(request, in_doubt=problem.partly_taken or request.in_doubt))
                    continue
                outcomes = request.all_are("rejected", f"{problem} ({bisection.verdict})")
            except (Refused, Stopped) as problem:
                yield from self._abandoned([request, *reversed(pending)], problem)
                raise
            bisection.saw(outcomes)
            yield self._noted(outcomes)

    def _outcomes(self, request: Request) -> tuple[Outcome, ...]:
        """What one key came to; raises Rejected where several items were refused together."""
        tries = Retrying(
            retry=self._is_tried_again,
            stop=self.retry.is_over,
            wait=partial(self.retry.wait, request.key),
            sleep=self._pause,
            reraise=True,
        )
        try:
            receipt = tries(self._try, request)
        except Retryable as problem:
            count = tries.statistics["attempt_number"]
            said = f"gave up after {count} {'try' if count == 1 else 'tries'}: {problem}"
            if request.in_doubt:
                return self._without_answer(request, said)
            if not problem.of_item:
                raise Refused(said) from None
            return request.all_are("rejected", said)
        except (Unsure, _Broken) as problem:
            return self._without_answer(request, str(problem))
        except Rejected as problem:
            self._unanswered = 0
            if len(request.batch.items) > 1:
                raise
            return request.all_are("rejected", str(problem))
        self._unanswered = 0
        return accounted(request.batch, receipt)

    def _without_answer(self, request: Request, reason: str) -> tuple[Outcome, ...]:
        self._unanswered += 1
        return request.all_are("unknown", reason)

    def _try(self, request: Request) -> Receipt:
        """The batch on the wire, noted before it leaves: one request, two where old entries have to go first."""
        self._ask_to_go_on()
        self._wait_for_leave()
        if request.has_late_items(self.clock()):
            if request.in_doubt:
                # Another set of items would need another key, which could double those that were taken.
                raise _Broken("its time was over while nobody could tell whether it was taken")
            raise _Late
        self.journal.begin(request.key, request.batch)
        try:
            return deliver_in_step(self.kind, request.batch, self._deliver, between=self._wait_for_leave)
        except (Retryable, Refused) as problem:
            request.in_doubt |= self._may_be_taken(problem)
            if not request.in_doubt:
                self.journal.end(())
            raise
        except Unsure:
            request.in_doubt = True
            raise
        except (Rejected, Stopped):
            raise
        except Exception as problem:
            # A stranger's connector may raise anything; nobody knows then what was taken. Its text may quote people.
            frame = traceback.extract_tb(problem.__traceback__)[-1]
            name = type(problem).__name__
            log.error("connector=%s raised=%s file=%s line=%s", self.kind.name, name, frame.filename, frame.lineno)
            raise _Broken(name) from None

    def _deliver(self, batch: Batch) -> Receipt:
        return self.connector.deliver(batch, idempotency_key=batch_key(batch))

    def _may_be_taken(self, problem: Retryable | Refused) -> bool:
        return isinstance(problem, Retryable) and self.kind.is_idempotent and not problem.nothing_taken

    def _is_tried_again(self, state: RetryCallState) -> bool:
        problem = state.outcome.exception() if state.outcome else None
        return isinstance(problem, Retryable) or (isinstance(problem, Unsure) and self.kind.is_idempotent)

    def _halved(self, request: Request, *, in_doubt: bool) -> tuple[Request, Request]:
        halves = request.halves(in_doubt=in_doubt)
        if in_doubt:
            self.journal.part([(half.key, half.batch) for half in halves])
        else:
            self.journal.end(())
        return halves

    def _abandoned(self, requests: Iterable[Request], problem: Refused | Stopped) -> Iterator[tuple[Outcome, ...]]:
        """Of a batch that is not tried to its end: nothing where nothing was taken."""
        for request in requests:
            if request.in_doubt:
                self.journal.begin(request.key, request.batch)
                yield self._noted(request.all_are("unknown", f"an earlier try may have been taken; then: {problem}"))

    def _noted(self, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        self.journal.end(outcomes)
        return outcomes

    def _wait_for_leave(self) -> None:
        """Until the rate allows a request; raises Stopped."""
        self._ask_to_stop()
        while delay := self._bucket.delay():
            self._pause(delay)

    def _pause(self, seconds: float) -> None:
        rest = seconds
        while rest > 0:
            piece = min(rest, _LOOK_UP_SECONDS)
            self.sleep(piece)
            rest -= piece
            self._ask_to_stop()

    def _ask_to_go_on(self) -> None:
        """Raises Stopped, or Refused where the channel is given up."""
        if self._unanswered >= self._most_unanswered:
            raise Refused(f"{self._unanswered} requests in a row had no answer, so no more are made in this run")
        self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        reason = self.stop()
        if reason is not None:
            raise Stopped(f"Sending by {self.kind.name} was stopped: {reason}")
