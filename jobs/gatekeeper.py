"""Stand Great Expectations between a job and its tables, and keep the validations for the Data Docs."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, UTC
from pathlib import Path
from typing import Any

from cdp_lib.contracts import ops
from cdp_lib.io.ledger import OpsLedger
from cdp_lib.settings.pack import Pack
from cdp_lib.settings.rule import Rule
from cdp_lib.transforms.customer.as_of import end_of_day
from cdp_lib.workflow.services import GateRequest, GateVerdict
from quality.gate import Gate
from quality.report import build_data_docs, history_of, result_rows, RunFacts
from quality.suites import needs_previous, neighbours_of, rules_of, Suite, suite_for
from quality.verdict import Candidate, Verdict

_SAFE_NAME = re.compile(r"[^a-z0-9_.-]+")


@dataclass(frozen=True)
class JudgedTable:
    """A verdict in the runner's words."""

    success: bool
    rows: Sequence[Mapping[str, Any]]
    message: str


def gatekeeper(
    pack: Pack, rules: tuple[Rule, ...], ledger: OpsLedger, validations: Path, checks: Suite = suite_for
) -> Callable[[GateRequest], GateVerdict]:
    """The gate as the runner calls it; each table's validation is left as JSON under `validations/<run_id>`."""
    gate = Gate(rules, checks)

    def judge(request: GateRequest) -> GateVerdict:
        asking = gate if request.is_written else _of_age(gate, request.table.name)
        if not request.is_written and not asking.rules:
            return JudgedTable(True, (), "")
        candidate = candidate_of(request, pack, ledger, asking.rules)
        verdict = gate_for(asking, candidate)(candidate)
        facts = RunFacts(request.run_id, request.job, ledger.clock())
        _keep(verdict, validations / request.run_id, request)
        return JudgedTable(verdict.success, result_rows(verdict, facts), verdict.message)

    return judge


def gate_for(gate: Gate, candidate: Candidate) -> Gate:
    """The gate with the rules that can be asked: those that compare with a table this business has."""
    own = rules_of(candidate.table.name, gate.rules)
    usable = tuple(rule for rule in own if rule.other_table is None or rule.other_table in candidate.neighbours)
    return Gate(usable, gate.suite)


def _of_age(gate: Gate, table_name: str) -> Gate:
    """The gate with what a table that stands may be asked: its rules of freshness."""
    return Gate(tuple(rule for rule in rules_of(table_name, gate.rules) if rule.freshness), lambda table: ())


def candidate_of(request: GateRequest, pack: Pack, ledger: OpsLedger, rules: Sequence[Rule]) -> Candidate:
    """What the gate needs to know of the table."""
    own = rules_of(request.table.name, rules)
    others = {name: request.neighbour(name) for name in neighbours_of(request.table.name, rules)}
    needs_date = any(rule.freshness for rule in own)
    # Only freshness asks for the date, and before the first facts are published there is none.
    as_of = end_of_day(request.as_of(), pack.info.time_zone) if needs_date else datetime.min.replace(tzinfo=UTC)
    return Candidate(
        table=request.table,
        batch=request.batch,
        after=request.after,
        as_of=as_of,
        neighbours={name: frame for name, frame in others.items() if frame is not None},
        previous=request.before() if needs_previous(request.table.name, rules) else None,
        history=history_of(ledger.rows(ops.QUALITY_RESULT), request.table.name) if own else {},
    )


def build_docs(validations: Path, folder: Path, run_id: str, workflow: str, ended_at: datetime) -> Path | None:
    """Data Docs of everything that the run's gate judged; None where it judged nothing."""
    facts = RunFacts(run_id, workflow, ended_at)
    kept = sorted((validations / run_id).glob("*.json"))
    return build_data_docs([json.loads(path.read_text()) for path in kept], folder, facts) if kept else None


def _keep(verdict: Verdict, folder: Path, request: GateRequest) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, document in enumerate(verdict.documents):
        name = _SAFE_NAME.sub("_", f"{request.table.name}.{place}.json")
        (folder / name).write_text(json.dumps(document, default=str))
