"""Kind `journey`: a customer's way through waits, questions and messages, as a state machine.

A day is a day of the pack's zone. What a step does, asked on every day `d` since the step was reached on day `s`:
- `wait: 2d` is left when d >= s + 2.
- `wait_until` is left for `then` when a fact of the customer has its day in (s, s + within] and not after d; for `else`
  when d >= s + within and there is none. A fact of the day s itself does not count: it may be what led here, and it
  came before anything that was sent. A fact that came late still counts where the wait has not ended.
- `split` goes on at once, by the single view as it is when the journey is run.
- `send` asks for a message and goes on at once; one to a list puts the customer on it until the entry ends. `exit`
  ends the entry.
"""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from cdp_lib.settings.audience import Condition, days_in, one_day_at_least
from cdp_lib.settings.kind import Frozen, Name, SqlText

END = "end"
"""The step that every way leads to; it need not be written down."""

EXIT_WHEN = "exit_when"
"""The question that is asked of everybody, wherever they are."""


class WaitUntil(Frozen):
    """A fact that is waited for, and how long."""

    did: Name = Field(description="An entity, e.g. order, event")
    where: SqlText | None = None
    within: str = Field(description="E.g. 7d; then the way goes on at `else`")

    _is_a_day = field_validator("within")(one_day_at_least)


class Step(Frozen):
    """One state: exactly one of wait, wait_until, split, send and exit, and where it leads."""

    wait: str | None = Field(default=None, description="E.g. 2d")
    wait_until: WaitUntil | None = None
    split: Condition | None = Field(default=None, description="As in an audience, asked when the step is reached")
    send: Name | None = Field(default=None, description="An activation without an audience of its own")
    exit: str | None = Field(default=None, min_length=1, description="The journey ends here, for this reason")
    then: Name = Field(default=END, description="The next step; of a question, where it holds")
    else_: Name = Field(default=END, alias="else", description="Of a question: where it does not hold")

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Step":
        kinds = ("wait", "wait_until", "split", "send", "exit")
        said = [name for name in kinds if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"a step says one of {', '.join(kinds)}; this one says {' and '.join(said) or 'nothing'}")
        if self.wait is not None:
            days_in(self.wait)
        if self.else_ != END and not (self.wait_until or self.split):
            raise ValueError("only wait_until and split have an else")
        if self.then != END and self.exit is not None:
            raise ValueError("the journey ends at an exit: remove then")
        return self

    @property
    def is_instant(self) -> bool:
        """Whether nobody stays here: it is left on the day on which it is reached."""
        return self.wait_until is None and (self.wait is None or days_in(self.wait) == 0)

    @property
    def leads_to(self) -> tuple[str, ...]:
        """Names of the steps that may come next."""
        if self.exit is not None:
            return ()
        return (self.then, self.else_) if self.wait_until or self.split else (self.then,)


class Journey(Frozen):
    """Members of an audience enter at the first step; every day each goes as far as it can."""

    kind: Literal["journey"]
    id: Name
    description: str = ""
    entry: Name = Field(description="Audience whose members enter")
    re_entry_after: str | None = Field(
        default=None, description="E.g. 90d after the last exit, to whoever is a member then; none: once only"
    )
    exit_when: Condition | None = Field(
        default=None, description="Whoever meets it leaves before anything else happens, and does not enter"
    )
    steps: dict[Name, Step] = Field(min_length=1, description="The first is where customers enter")

    @field_validator("re_entry_after")
    @classmethod
    def _is_days(cls, value: str | None) -> str | None:
        if value is not None and days_in(value) < 1:
            raise ValueError("re_entry_after is one day at least")
        return value

    @field_validator("steps")
    @classmethod
    def _names_are_free(cls, value: dict[str, Step]) -> dict[str, Step]:
        taken = [name for name in (END, EXIT_WHEN) if name in value]
        if taken:
            raise ValueError(f"'{taken[0]}' has a meaning of its own in a journey; give the step another name")
        return value

    @property
    def conditions(self) -> dict[str, Condition]:
        """Every question about the customer: `EXIT_WHEN`, and each split by the name of its step."""
        asked = {} if self.exit_when is None else {EXIT_WHEN: self.exit_when}
        return asked | {name: step.split for name, step in self.steps.items() if step.split is not None}

    def reached_from(self, step: str) -> frozenset[str]:
        """Names of all steps that may come after the step; itself where a way leads back to it."""
        found: set[str] = set()
        ahead = [step]
        while ahead:
            known = self.steps.get(ahead.pop())
            news = set(known.leads_to if known else ()) - found
            found |= news
            ahead += sorted(news)
        return frozenset(found)

    def waits_after(self, step: str) -> bool:
        """Whether customers who passed the step can be on the journey at the end of a day."""
        return any(name in self.steps and not self.steps[name].is_instant for name in self.reached_from(step))

    @property
    def first_step(self) -> str:
        """Where customers enter."""
        return next(iter(self.steps))
