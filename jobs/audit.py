"""What people did by hand, noted in ops.audit."""

from cdp_lib.contracts import ops
from cdp_lib.io.ledger import owner
from jobs.compose import Suite


def note_deed(suite: Suite, action: str, subject: str, detail: str) -> None:
    """Add one deed of the person at this terminal; `subject` and `detail` hold no personal data."""
    deed = {
        "happened_at": suite.ledger.clock(),
        "actor": owner(),
        "action": action,
        "subject": subject,
        "detail": detail,
    }
    suite.ledger.append(ops.AUDIT, [deed])
