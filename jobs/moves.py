"""When a model's champion was last moved by hand or by a weekly training: another champion means other scores."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cdp_lib.contracts import ops
from cdp_lib.workflow.context import JobContext

PROMOTED = "model_promote"
RENEWED = "model_renew"
"""What a run notes that trained what none fitted, and scores with it itself: nobody else need take notice."""


def moved(pack: str, model: str) -> str:
    """The subject of a model's moves in ops.audit."""
    return f"{pack}-{model}"


def was_last_moved_to(label: str, subject: str, deeds: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the newest of the deeds about the model (rows of ops.audit, in any order) is this version's."""
    rows = [row for row in deeds if row["subject"] == subject]
    newest = max((row["happened_at"] for row in rows), default=None)
    return any(row["happened_at"] == newest and row["detail"] == label for row in rows)


def moves_of(*models: str) -> Callable[[JobContext], str]:
    """What a job watches: the newest move of one of the pack's models, from the audit and so without MLflow."""

    def newest(ctx: JobContext) -> str:
        subjects = {moved(ctx.pack.name, model) for model in models}
        moves = [row for row in ctx.recorded(ops.AUDIT) if row["subject"] in subjects and row["action"] != RENEWED]
        return max((str(row["happened_at"]) for row in moves), default="")

    return newest
