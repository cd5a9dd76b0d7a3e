"""The layers hold: who may import what, and what no file may do. The table below is docs/architecture.md, section 3."""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("cdp_lib", "jobs", "quality")

LONGEST_FILE, LONGEST_TEST_FILE, LONGEST_FUNCTION = 320, 400, 45
DRAWERS = {"util", "utils", "common", "helper", "helpers", "misc", "base"}
CLOCK = {
    "now",
    "utcnow",
    "today",
    "time",
    "time_ns",
    "monotonic",
    "current_timestamp",
    "current_date",
    "localtimestamp",
}
ACTIONS = {
    "collect",
    "toPandas",
    "toArrow",
    "toLocalIterator",
    "count",
    "show",
    "isEmpty",
    "first",
    "head",
    "take",
    "tail",
}
WRITER = {
    "format",
    "mode",
    "option",
    "options",
    "partitionBy",
    "save",
    "saveAsTable",
    "insertInto",
    "parquet",
    "csv",
    "json",
}
FILES = {"os", "io", "pathlib.Path", "shutil", "tempfile", "glob", "subprocess"}
DOERS = {"SparkSession", "SparkContext", "DataFrameWriter", "DataFrameReader"}
ANYTHING = {"*"}
EVERYBODYS = {"cdp_lib.__version__"}


@dataclass(frozen=True)
class Layer:
    """What the files of one package may import, and the calls and standard modules they must do without.

    `below` are our own packages; `third_party` are import names, where `pyspark.sql.types` allows just that module;
    `alone` are modules that one file of the package may import and its neighbours may not.
    """

    below: set[str]
    third_party: set[str]
    no_stdlib: frozenset[str] = frozenset()
    no_calls: frozenset[str] = frozenset()
    no_names: frozenset[str] = frozenset()
    alone: frozenset[tuple[str, str]] = frozenset()


PURE = frozenset(CLOCK | ACTIONS)
DATA = {"cdp_lib.errors", "cdp_lib.settings"}
DECLARED = DATA | {"cdp_lib.contracts"}

LAYERS: dict[str, Layer] = {
    "cdp_lib.errors": Layer(set(), set()),
    "cdp_lib.settings": Layer(
        {"cdp_lib.errors"},
        {"pydantic", "pydantic_core", "sqlglot", "jinja2", "phonenumbers"},
        no_stdlib=frozenset(FILES),
        no_calls=frozenset({"open"} | CLOCK),
    ),
    "cdp_lib.contracts": Layer(
        DATA, {"pyspark.sql.types"}, no_stdlib=frozenset(FILES), no_calls=frozenset({"open"} | CLOCK)
    ),
    "cdp_lib.transforms": Layer(
        DECLARED,
        {"pyspark", "pyarrow", "numpy", "phonenumbers", "rapidfuzz"},
        no_stdlib=frozenset(FILES | {"time"}),
        no_calls=PURE,
        no_names=frozenset(DOERS),
    ),
    "cdp_lib.models": Layer(
        DECLARED,
        {"pyspark", "pyarrow", "numpy", "scipy", "pandas", "sklearn", "lightgbm", "matplotlib", "mlflow"},
        no_calls=frozenset(CLOCK),
        alone=frozenset({("mlflow", "cdp_lib.models.registry")}),
    ),
    "cdp_lib.simulate": Layer(DATA, {"numpy", "pyarrow"}, no_calls=frozenset(CLOCK)),
    "cdp_lib.messages": Layer(DATA, {"jinja2"}, no_stdlib=frozenset(FILES), no_calls=frozenset(CLOCK)),
    "cdp_lib.connectors": Layer(
        DATA,
        {"httpx", "paramiko", "dkim", "cryptography", "tenacity", "pydantic", "aiosmtpd", "asyncssh"},
        alone=frozenset(
            {
                ("aiosmtpd", "cdp_lib.connectors.kit.mail_server"),
                ("asyncssh", "cdp_lib.connectors.kit.file_server"),
            }
        ),
    ),
    "cdp_lib.io": Layer(
        DECLARED, {"pyspark", "py4j", "pydantic", "delta", "deltalake", "numpy", "pyarrow", "yaml", "filelock"}
    ),
    "cdp_lib.workflow": Layer(DECLARED | {"cdp_lib.io"}, {"pyspark", "py4j", "rich"}),
    "quality": Layer(DECLARED, {"pyspark", "great_expectations", "pydantic"}),
    "jobs": Layer(set(ROOMS), ANYTHING),
}

ONE_FILE_ONLY = {
    # what stands in one file and nowhere else
    "typer": "jobs",
}

CALLERS_OF_STRANGERS = {"cdp_lib.workflow.runner", "cdp_lib.connectors", "cdp_lib.connectors.courier"}
"""They call code that is not ours (a pack's job, a third party's connector), and may take any exception from it."""


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its text, its tree."""

    name: str
    text: str

    @property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text)

    @property
    def layer(self) -> str:
        """The row of the table that it belongs to; empty for files of the root package."""
        parts = self.name.split(".")
        for size in (2, 1):
            if ".".join(parts[:size]) in LAYERS:
                return ".".join(parts[:size])
        return ""


def modules(*rooms: str) -> list[Module]:
    """Every source file of the rooms."""
    return [
        Module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"), path.read_text())
        for room in rooms
        for path in sorted((ROOT / room).rglob("*.py"))
    ]


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of what a file imports, wherever in it, members included: they may be modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{name.name}" for name in node.names)


def is_within(name: str, packages: Iterable[str]) -> bool:
    """Whether the dotted name is one of the packages or inside one."""
    return any(package == "*" or name == package or name.startswith(f"{package}.") for package in packages)


def import_faults(module: Module) -> Iterator[str]:
    """Imports that go up, sideways or to a library that the layer must not know."""
    layer = LAYERS[module.layer]
    for name in imports(module.tree):
        refused = refusal(module, name)
        if refused:
            yield f"imports {name}: {refused}"
        elif name.split(".")[-1] in layer.no_names:
            yield f"imports {name}: no session, reader or writer here"


def refusal(module: Module, name: str) -> str:
    """Why the file may not import that name; empty when it may."""
    layer = LAYERS[module.layer]
    top = name.split(".")[0]
    owner = ONE_FILE_ONLY.get(top) or dict(layer.alone).get(top)
    if top in ROOMS:
        return "" if is_within(name, layer.below | {module.layer} | EVERYBODYS) else "up or sideways"
    if top in sys.stdlib_module_names:
        return "no files, clock or processes here" if is_within(name, layer.no_stdlib) else ""
    if not is_within(name, layer.third_party):
        return f"not a library of {module.layer}"
    return f"only {owner} does" if owner and not is_within(module.name, [owner]) else ""


def call_faults(module: Module) -> Iterator[str]:
    """Clocks, actions, writes, prints and guessed schemas."""
    layer = LAYERS[module.layer]
    for node in ast.walk(module.tree):
        if layer.no_names and is_writer(node):
            yield f"line {node.lineno}: .{node.attr}: only cdp_lib.io writes"
        if not isinstance(node, ast.Call):
            continue
        is_method = isinstance(node.func, ast.Attribute)
        name = node.func.attr if is_method else getattr(node.func, "id", "")
        # `orders.count()` runs a job; `F.count("id")` and `text.count("a")` do not.
        is_harmless = name in ACTIONS and (node.args or node.keywords or not is_method)
        if name in layer.no_calls and not is_harmless:
            yield f"line {node.lineno}: {name}(): not in {module.layer}"
        if name == "print" and not is_method:
            yield f"line {node.lineno}: print()"


def is_writer(node: ast.AST) -> bool:
    """Whether the node is a frame's writer; a contract's own `write` attribute is none."""
    if not isinstance(node, ast.Attribute):
        return False
    is_used_as_writer = isinstance(node.value, ast.Attribute) and node.value.attr == "write" and node.attr in WRITER
    return is_used_as_writer or node.attr in {"writeTo", "writeStream"}


def form_faults(module: Module) -> Iterator[str]:
    """What no file may do, whatever its layer."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and any(name.name == "*" for name in node.names):
            yield f"line {node.lineno}: star import of {node.module}"
        if isinstance(node, ast.Constant) and node.value == "inferSchema":
            yield f"line {node.lineno}: inferSchema: read with the contract's schema"
        if isinstance(node, ast.keyword) and node.arg == "inferSchema":
            yield f"line {node.value.lineno}: inferSchema: read with the contract's schema"
        if isinstance(node, ast.ExceptHandler) and is_broad(node) and module.name not in CALLERS_OF_STRANGERS:
            yield f"line {node.lineno}: except Exception: only {', '.join(sorted(CALLERS_OF_STRANGERS))} may"


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Whether the handler takes every exception there is."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(one is None or getattr(one, "id", "") in {"Exception", "BaseException"} for one in caught)


def size_faults(module: Module) -> Iterator[str]:
    """Drawers, and files or functions too long to be read as one thought."""
    drawers = DRAWERS & set(module.name.split("."))
    if drawers:
        yield f"{drawers.pop()} is a drawer: name the subject"
    length = len(module.text.splitlines())
    if length > LONGEST_FILE:
        yield f"{length} lines, more than {LONGEST_FILE}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                yield f"line {node.lineno}: {node.name} has {lines} lines, more than {LONGEST_FUNCTION}"


def faults(module: Module) -> list[str]:
    """All that is wrong with one file of the rooms."""
    checks = [form_faults, size_faults] + ([import_faults, call_faults] if module.layer else [])
    return [f"{module.name}: {fault}" for check in checks for fault in check(module)]


def test_every_file_keeps_its_layer() -> None:
    assert [fault for module in modules(*ROOMS) for fault in faults(module)] == []


def test_every_package_has_a_row_in_the_table() -> None:
    homeless = [module.name for module in modules(*ROOMS) if not module.layer and module.name != "cdp_lib"]

    assert homeless == []


def test_no_test_or_benchmark_file_outgrows_a_reader() -> None:
    lengths = {module.name: len(module.text.splitlines()) for module in modules("tests", "benchmarks")}

    assert {name: length for name, length in lengths.items() if length > LONGEST_TEST_FILE} == {}


PLANTED = {
    "cdp_lib.settings.trait": {
        "import pyspark": "imports pyspark: not a library",
        "import yaml": "imports yaml: not a library",
        "from cdp_lib.contracts import table": "imports cdp_lib.contracts.table: up or sideways",
        "from pathlib import Path": "imports pathlib.Path: no files",
        "text = open('x').read()": "line 1: open(): not in cdp_lib.settings",
    },
    "cdp_lib.contracts.silver": {
        "from pyspark.sql import functions as F": "imports pyspark.sql.functions: not a library",
        "from delta.tables import DeltaTable": "imports delta.tables.DeltaTable: not a library",
    },
    "cdp_lib.transforms.clean.email": {
        "import yaml": "imports yaml: not a library",
        "import os": "imports os: no files",
        "import mlflow": "imports mlflow: not a library",
        "def f():\n    from cdp_lib.io.store import Store": "imports cdp_lib.io.store.Store: up or sideways",
        "from cdp_lib.models import registry": "imports cdp_lib.models.registry: up or sideways",
        "from pyspark.sql import SparkSession": "imports pyspark.sql.SparkSession: no session",
        "today = date.today()": "line 1: today()",
        "now = datetime.now(UTC)": "line 1: now()",
        "import time": "imports time: no files, clock",
        "at = F.current_timestamp()": "line 1: current_timestamp()",
        "rows = orders.collect()": "line 1: collect()",
        "size = orders.count()": "line 1: count()",
        "orders.write.save('x')": "line 1: .save: only cdp_lib.io writes",
    },
    "cdp_lib.models.churn": {"import mlflow": "imports mlflow: only cdp_lib.models.registry does"},
    "cdp_lib.simulate.people": {"from pyspark.sql import Row": "imports pyspark.sql.Row: not a library"},
    "cdp_lib.connectors.sms": {
        "from cdp_lib.io import store": "imports cdp_lib.io.store: up or sideways",
        "import asyncssh": "imports asyncssh: only cdp_lib.connectors.kit.file_server does",
    },
    "cdp_lib.io.store": {
        "from cdp_lib.transforms.clean import email": "imports cdp_lib.transforms.clean.email: up or sideways",
        "reader.option('inferSchema', True)": "line 1: inferSchema",
        "reader.csv('x', inferSchema=True)": "line 1: inferSchema",
        "try:\n    f()\nexcept Exception:\n    g()": "line 3: except Exception",
        "try:\n    f()\nexcept (ValueError, Exception):\n    g()": "line 3: except Exception",
    },
    "cdp_lib.workflow.context": {
        "import quality.gate": "imports quality.gate: up or sideways",
        "import typer": "imports typer: not a library",
    },
    "quality.gate": {"from cdp_lib.workflow import runner": "imports cdp_lib.workflow.runner: up or sideways"},
    "jobs.gold_customer": {
        "from pyspark.sql.functions import *": "line 1: star import of pyspark.sql.functions",
        "print('done')": "line 1: print()",
    },
    "cdp_lib.transforms.utils": {"": "utils is a drawer"},
    "cdp_lib.io.long": {"\n" * 321: "321 lines, more than 320"},
    "cdp_lib.io.wide": {"def f():\n" + "    x = 1\n" * 45: "line 1: f has 46 lines, more than 45"},
}


@pytest.mark.parametrize(
    ("name", "planted", "said"),
    [(name, planted, said) for name, cases in PLANTED.items() for planted, said in cases.items()],
)
def test_planted_fault_is_found(name: str, planted: str, said: str) -> None:
    found = faults(Module(name, planted))

    assert len(found) == 1
    assert found[0].startswith(f"{name}: {said}")


@pytest.mark.parametrize(
    ("name", "innocent"),
    [
        ("cdp_lib.contracts.silver", "from pyspark.sql import types as T"),
        ("cdp_lib.transforms.clean.email", "total = F.count('order_id')"),
        ("cdp_lib.transforms.clean.email", "words = text.count('a')"),
        ("cdp_lib.transforms.clean.email", "from datetime import date, timedelta"),
        ("cdp_lib.transforms.ingest.conform", "mode = table.write.newest_by"),
        ("cdp_lib.models.registry", "import mlflow.sklearn"),
        ("cdp_lib.workflow.runner", "try:\n    f()\nexcept Exception:\n    raise"),
        ("cdp_lib.workflow.progress", "from rich.progress import Progress"),
        ("cdp_lib.workflow.runner", "from cdp_lib import __version__"),
        ("jobs.__main__", "import typer"),
        ("jobs.screen", "console.print('done')"),
    ],
)
def test_innocent_file_is_left_alone(name: str, innocent: str) -> None:
    assert faults(Module(name, innocent)) == []
