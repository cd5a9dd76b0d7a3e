"""Where sending keeps what must outlive a crash and stop it at once: journals, the stop file, the key."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cdp_lib.errors import ConfigError

_KEY_BYTES = 32


@dataclass(frozen=True)
class SendingFolder:
    """A folder on a disk of this machine, one for each pack."""

    path: Path

    @property
    def journals(self) -> Path:
        """One journal for each destination that is being written to."""
        return self.path / "journals"

    @property
    def outbox(self) -> Path:
        """A folder for each dry run, with what it would have sent."""
        return self.path / "outbox"

    @property
    def _stop_file(self) -> Path:
        return self.path / "STOP"

    def stopped(self) -> str | None:
        """Why nothing may be sent; None: it may. One look at the disk, so it is asked before each request."""
        try:
            return self._stop_file.read_text(encoding="utf-8").strip() or "no reason given"
        except FileNotFoundError:
            return None

    def stop(self, reason: str) -> None:
        """Nothing more is sent from now on, by running jobs either."""
        self.path.mkdir(parents=True, exist_ok=True)
        whole = self._stop_file.with_suffix(".part")
        whole.write_text(reason, encoding="utf-8")
        whole.replace(self._stop_file)

    def allow(self) -> bool:
        """Sending is allowed again; whether it was stopped."""
        was_stopped = self._stop_file.exists()
        self._stop_file.unlink(missing_ok=True)
        return was_stopped

    def key(self) -> str:
        """What signs tokens and salts offer codes: made by chance at first use, and never changed after."""
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.path / "key"
        try:
            with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8") as fresh:
                fresh.write(secrets.token_hex(_KEY_BYTES))
        except FileExistsError:
            pass
        return file.read_text(encoding="utf-8")


def sending_folder(root: str, configured: str | None, pack: str) -> SendingFolder:
    """The pack's folder; raises ConfigError where the lakehouse is no folder and the settings name none."""
    if configured is not None:
        return SendingFolder(Path(configured) / pack)
    if "://" in root:
        raise ConfigError(
            f"sending.folder is not set, and {root} is no folder of this machine: the journal of what was sent needs "
            "one that is fsynced. Set sending.folder in the environment's settings file."
        )
    return SendingFolder(Path(root) / "ops" / "_sending")
