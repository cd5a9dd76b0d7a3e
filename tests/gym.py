"""The least that the runner's and the graph's tests need: a business with one source, and tables of one column."""

from cdp_lib.contracts.table import ReplaceAll, Table, text
from cdp_lib.settings.pack import assemble_pack, Document, Pack


def table(name: str) -> Table:
    """A table of that name."""
    return Table(name=name, purpose="A table.", key=("id",), columns=(text("id", "Its id."),), write=ReplaceAll())


def gym() -> Pack:
    """A pack with one source."""
    info = {"kind": "pack", "id": "gym", "currency": "EUR", "time_zone": "Europe/Berlin"}
    source = {
        "kind": "source",
        "id": "visits",
        "read": {"format": "csv", "path": "*.csv"},
        "key": ["id"],
        "columns": {"id": {"type": "string"}},
    }
    return assemble_pack([Document("pack.yml", 0, info), Document("sources.yml", 0, source)], where="gym")
