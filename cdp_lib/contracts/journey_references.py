"""What journeys refer to: audiences, activations and their own steps, each of which can be reached."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from cdp_lib.contracts.audience_references import condition_faults, Vocabulary
from cdp_lib.contracts.reference_checks import feed_fault, row_faults, way_back
from cdp_lib.contracts.silver import ENTITIES, FACT_TIME
from cdp_lib.errors import Fault, near_miss
from cdp_lib.settings.journey import END, EXIT_WHEN, Journey, Step, WaitUntil
from cdp_lib.settings.pack import Pack

_Keyed = Iterator[tuple[str, str]]
"""(key path below the journey, message)."""


def journey_faults(pack: Pack, columns: Collection[str], functions: Collection[str] = ()) -> Iterator[Fault]:
    """Every reference that leads nowhere; `columns` are those of gold.customer, faulty traits included."""
    vocabulary = Vocabulary.of(pack, columns, functions)
    for journey in pack.journeys:
        file, path = pack.place("journey", journey.id)
        for key, message in _Check(pack, journey, vocabulary).faults():
            yield Fault(file, f"{path}{key}", message)


@dataclass(frozen=True)
class _Check:
    """One journey under examination."""

    pack: Pack
    journey: Journey
    vocabulary: Vocabulary

    def faults(self) -> _Keyed:
        audiences = self.vocabulary.audiences
        if self.journey.entry not in audiences:
            yield ".entry", f"unknown audience '{self.journey.entry}'.{near_miss(self.journey.entry, audiences)}"
        lost = list(self._lost_ways())
        yield from lost or self._ways()
        for name, condition in self.journey.conditions.items():
            key = f".{EXIT_WHEN}" if name == EXIT_WHEN else f".steps.{name}.split"
            yield from ((f"{key}{below}", message) for below, message in condition_faults(condition, self.vocabulary))
        for name, step in self.journey.steps.items():
            if step.send is not None:
                yield from self._send(f".steps.{name}.send", step.send)
            if step.wait_until is not None:
                yield from self._wait(f".steps.{name}.wait_until", step.wait_until)

    def _lost_ways(self) -> _Keyed:
        known = (*self.journey.steps, END)
        for name, step in self.journey.steps.items():
            for key, to in (("then", step.then), ("else", step.else_)):
                if to not in known:
                    yield f".steps.{name}.{key}", f"unknown step '{to}'.{near_miss(to, known)}"

    def _ways(self) -> _Keyed:
        """Steps that nobody comes to, and circles that nobody would come out of on one day."""
        steps = self.journey.steps
        reached = {self.journey.first_step} | self.journey.reached_from(self.journey.first_step)
        for name in steps:
            if name not in reached:
                yield f".steps.{name}", f"no way leads from '{self.journey.first_step}' to it: remove it, or lead there"
        for circle in _circles(steps):
            way = " -> ".join(circle)
            yield (
                f".steps.{circle[0]}",
                f"goes round on one day without an end: {way}. Put a wait of 1d or more into it",
            )

    def _send(self, key: str, name: str) -> _Keyed:
        known = {one.id: one for one in self.pack.activations}
        names = set(known) | self.pack.written_names("activation")
        if name not in names:
            yield key, f"unknown activation '{name}'.{near_miss(name, names)}"
        elif name in known and known[name].audience is not None:
            yield key, f"activation '{name}' is sent to audience '{known[name].audience}': leave out its audience"

    def _wait(self, key: str, wait: WaitUntil) -> _Keyed:
        if wait.did not in FACT_TIME:
            yield f"{key}.did", f"unknown entity '{wait.did}'.{near_miss(wait.did, FACT_TIME)}"
        elif unfed := feed_fault(wait.did, self.pack):
            yield f"{key}.did", unfed
        elif wait.where is not None:
            for message in row_faults(wait.where, ENTITIES[wait.did].content_columns, self.vocabulary.functions):
                yield f"{key}.where", message


def _circles(steps: dict[str, Step]) -> Iterator[list[str]]:
    """Circles of steps that are left on the day on which they are reached; each once, from its first step on."""
    instant = [name for name, step in steps.items() if step.is_instant]
    ways = {name: [to for to in steps[name].leads_to if to in instant] for name in instant}
    told: set[str] = set()
    for name in instant:
        circle = [] if name in told else way_back(name, ways)
        told |= set(circle)
        if circle:
            yield circle
