"""Connectors are found by name, the suite's own and other packages'."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cdp_lib.connectors import BUILT_IN, kind_named, kinds
from cdp_lib.connectors.protocol import ConnectorKind
from cdp_lib.errors import DeliveryError
from tests.connectors.packages import install_package

Install = Callable[[str, str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a package named cdp-pigeon on the path: the entry point of its connector, and its module's source."""
    return partial(install_package, tmp_path, monkeypatch, "cdp.connectors")


GOOD = """
from cdp_lib.connectors.protocol import ConnectorKind, ConnectorSettings
KIND = ConnectorKind("pigeon", "post", "message", ConnectorSettings, lambda settings: None)
OTHER = ConnectorKind("dove", "post", "message", ConnectorSettings, lambda settings: None)
"""


def test_every_built_in_is_there_under_its_own_name() -> None:
    found = kinds()
    assert tuple(found)[: len(BUILT_IN)] == BUILT_IN
    assert [kind.name for kind in found.values()] == list(found)
    assert all(kind.doc and kind.settings.__doc__ for kind in found.values())
    undescribed = [
        f"{kind.name}.{field}"
        for kind in found.values()
        for field in ("channel", "operations")
        if not getattr(kind, field)
    ]
    assert undescribed == []


def test_a_name_that_is_nearly_right_is_put_right() -> None:
    with pytest.raises(DeliveryError, match=r"There is no connector 'emial'. Did you mean 'email'\?"):
        kind_named("emial")


def test_a_connectors_libraries_are_imported_only_when_it_is_asked_for() -> None:
    code = (
        "import sys; from cdp_lib.connectors import kind_named; kind_named('webhook'); "
        "print('httpx' in sys.modules, 'paramiko' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "False"]


def test_another_packages_connector_is_found(install: Install) -> None:
    install("pigeon = cdp_pigeon:KIND", GOOD)
    assert isinstance(kind_named("pigeon"), ConnectorKind)
    assert list(kinds())[-1] == "pigeon"


@pytest.mark.parametrize(
    ("entry", "source", "said"),
    [
        ("pigeon = cdp_pigeon:KIND", "import no_such_library", r"cannot be loaded \(ModuleNotFoundError"),
        ("pigeon = cdp_pigeon:KIND", "1 / 0", r"cannot be loaded \(ZeroDivisionError"),
        ("pigeon = cdp_pigeon:MISSING", GOOD, r"cannot be loaded \(AttributeError"),
        ("pigeon = cdp_pigeon:KIND", "KIND = 5", "names a int, not a ConnectorKind"),
        ("pigeon = cdp_pigeon:OTHER", GOOD, "calls itself 'dove'"),
        ("email = cdp_pigeon:KIND", GOOD, "the suite has a connector of that name"),
    ],
)
def test_a_package_that_cannot_be_used_is_named(install: Install, entry: str, source: str, said: str) -> None:
    install(entry, source)
    with pytest.raises(DeliveryError, match=f"cdp-pigeon: entry point cdp.connectors: .*{said}"):
        kinds()
