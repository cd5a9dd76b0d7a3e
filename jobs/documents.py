"""Files that are derived from the code: data dictionary, JSON Schemas of the pack kinds, page of connectors."""

from pathlib import Path

from cdp_lib.connectors.dictionary import connector_page
from cdp_lib.contracts.dictionary import dictionary_files
from cdp_lib.io.yaml_files import load_pack, pack_names
from cdp_lib.settings.schemas import schema_files
from jobs.compose import conf_folder, HOME, sql_functions


def derived_documents() -> dict[str, str]:
    """Path relative to the project: text."""
    packs_dir = conf_folder() / "packs"
    packs = [load_pack(name, packs_dir, sql_functions()) for name in pack_names(packs_dir)]
    return {**dictionary_files(packs), **schema_files(), **connector_page()}


def write_documents(*, check: bool, home: Path = HOME) -> list[str]:
    """The files that were not in sync; they are written unless only checked."""
    stale = []
    for name, text in derived_documents().items():
        path = home / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return stale
