"""What a dry run would have sent, as files that people can read: one line of JSON for each message."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cdp_lib.errors import DeliveryError
from cdp_lib.io.private_file import private_file
from cdp_lib.io.staging import StagedRows
from jobs.activation.rendering import Writer
from jobs.activation.sender import Tally


def write_outbox(staged: StagedRows, writer: Writer, folder: Path) -> Tally:
    """Everything rendered below `folder`, a file for each activation that only its owner may read; how it ended.

    `ready` or `failed`, with the reason in the file's last lines. The files hold personal data.
    """
    for one in (folder.parent, folder):
        one.mkdir(parents=True, exist_ok=True, mode=0o700)
    tally: Tally = Counter()
    for activation in sorted({group["activation_id"] for group in staged.counts("activation_id")}):
        with private_file(folder / f"{activation}.jsonl") as file:
            for row in staged.rows({"activation_id": activation}):
                line, status = _rendered(row, writer)
                tally[activation, status] += 1
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return tally


def forget_outboxes(outbox: Path, before: datetime) -> None:
    """Delete what dry runs rendered before that instant: nobody reads it any more, and it holds personal data."""
    folders = [one for one in outbox.iterdir() if one.is_dir()] if outbox.is_dir() else []
    for folder in folders:
        if folder.stat().st_mtime < before.timestamp():
            shutil.rmtree(folder)


def _rendered(row: Mapping[str, Any], writer: Writer) -> tuple[dict[str, Any], str]:
    told = {"golden_id": row["golden_id"], "operation": row["operation"], "arm": row["arm"]}
    try:
        item = writer.item(row)
    except DeliveryError as problem:
        return {**told, "failed": str(problem)}, "failed"
    shown = {"address": item.address, "parts": dict(item.parts), "fields": dict(item.person)}
    return {**told, **shown, "offer_code": row["offer_code"]}, "ready"
