"""When a model's champion was last moved by hand or by a weekly training: another champion means other scores."""

from collections.abc import Callable

from cdp_lib.contracts import ops
from cdp_lib.workflow.context import JobContext

PROMOTED = "model_promote"


def moves_of(*models: str) -> Callable[[JobContext], str]:
    """What a job watches: the newest move of one of the pack's models, from the audit and so without MLflow."""

    def newest(ctx: JobContext) -> str:
        subjects = {f"{ctx.pack.name}-{model}" for model in models}
        moves = [str(row["happened_at"]) for row in ctx.recorded(ops.AUDIT) if row["subject"] in subjects]
        return max(moves, default="")

    return newest
