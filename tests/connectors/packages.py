"""Another package with an entry point, as if it were installed."""

import sys
from pathlib import Path

import pytest


def install_package(folder: Path, monkeypatch: pytest.MonkeyPatch, group: str, entry: str, source: str) -> None:
    """Puts a package named cdp-pigeon on the path: its entry point of the group, and its module's source."""
    about = folder / "cdp_pigeon-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: cdp-pigeon\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
    (folder / "cdp_pigeon.py").write_text(source)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "cdp_pigeon", raising=False)
