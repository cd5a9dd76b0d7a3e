"""Packs, settings and rules from YAML files, with every fault of every file reported at once."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cdp_lib.contracts.references import reference_faults
from cdp_lib.contracts.rule_references import pack_rule_faults
from cdp_lib.errors import ConfigError, Fault, near_miss
from cdp_lib.io.yaml_nodes import duplicate_keys, PlainLoader
from cdp_lib.settings.pack import Document, Pack, read_documents, read_pack
from cdp_lib.settings.rule import Rule
from cdp_lib.settings.settings import merge_settings, SecretResolver, Settings, SettingsLayer
from cdp_lib.settings.workflow import parse_workflows, Workflow

_SUFFIX = ".yml"
_NO_ENVIRONMENTS = {"base", "workflows"}


@dataclass
class _Files:
    """What was read so far: documents, faults, and whether a file had to be given up."""

    documents: list[Document] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    is_whole: bool = True

    def give_up(self, file: Path, message: str) -> None:
        self.faults.append(Fault(str(file), "", message))
        self.is_whole = False


def load_pack(
    name_or_directory: str, packs_dir: Path, functions: Collection[str] = (), *, identity_file: Path | None = None
) -> Pack:
    """The pack of that name below `packs_dir`, or the one in that directory.

    `functions` are the SQL functions that expressions may call; left empty, they are not checked. `identity_file` takes
    the place of the pack's own document of kind identity. Raises ConfigError
    with the faults of all files together: YAML, shape, and what objects say of each other. Where a file cannot be
    read at all, only those references are judged that its content cannot mend; quality rules wait for a sound pack.
    """
    folder = find_pack(name_or_directory, packs_dir)
    files = _read_files(sorted(folder.glob(f"*{_SUFFIX}")))
    if identity_file is not None:
        _replace_identity(files, identity_file)
    files.faults += [
        Fault(str(path), "", f"not read: rename it to {path.with_suffix(_SUFFIX).name}")
        for path in sorted(folder.glob("*.yaml"))
    ]
    reading = read_pack(files.documents, where=str(folder))
    shape = reading.faults if files.is_whole else tuple(fault for fault in reading.faults if fault.file != str(folder))
    faults = [*files.faults, *shape, *reference_faults(reading.pack, functions, is_whole=files.is_whole)]
    faults = faults or list(pack_rule_faults(reading.pack, functions))
    if faults:
        raise ConfigError(sorted(set(faults)))
    return reading.pack


def find_pack(name_or_directory: str, packs_dir: Path) -> Path:
    """The folder of the pack; raises ConfigError with a near-miss of the folders below `packs_dir`."""
    for folder in (packs_dir / name_or_directory, Path(name_or_directory)):
        if name_or_directory and folder.is_dir() and any(folder.glob(f"*{_SUFFIX}")):
            return folder
    known = pack_names(packs_dir)
    hint = near_miss(name_or_directory, known)
    raise ConfigError(
        f"no pack '{name_or_directory}': no such folder with {_SUFFIX} files, here or below {packs_dir}.{hint}"
    )


def pack_names(packs_dir: Path) -> list[str]:
    """Names of the packs below a folder, sorted."""
    return sorted({file.parent.name for file in packs_dir.glob(f"*/*{_SUFFIX}")})


def load_settings_files(
    conf_dir: Path,
    env: str | None = None,
    overrides: Mapping[str, object] | None = None,
    resolve_secret: SecretResolver | None = None,
) -> Settings:
    """The settings of `base.yml`, over it `<env>.yml`, over it the command line's overrides.

    Secrets come from the environment unless another resolver is given. Raises ConfigError with the faults of all
    layers, an unknown environment with a near-miss among them.
    """
    known = sorted({path.stem for path in conf_dir.glob(f"*{_SUFFIX}")} - _NO_ENVIRONMENTS)
    faults: list[Fault] = []
    layers: list[SettingsLayer] = []
    for name in ["base"] if env is None else ["base", env]:
        path = conf_dir / f"{name}{_SUFFIX}"
        if not path.is_file():
            faults.append(Fault(str(path), "", f"no such file: unknown environment '{name}'.{near_miss(name, known)}"))
            continue
        body, file_faults = _one_mapping(path)
        faults += file_faults
        layers.append(SettingsLayer(str(path), body))
    layers.append(SettingsLayer("command line", overrides or {}))
    try:
        settings = merge_settings(*layers, resolve_secret=resolve_secret or environment_secret)
    except ConfigError as problem:
        raise ConfigError(sorted({*faults, *problem.faults})) from None
    if faults:
        raise ConfigError(sorted(set(faults)))
    return settings


def environment_secret(name: str) -> str | None:
    """The environment variable of that name, or the text of the file that `<name>_FILE` points at; None: neither."""
    file = os.environ.get(f"{name}_FILE")
    if name not in os.environ and file and Path(file).is_file():
        return Path(file).read_text(encoding="utf-8").strip()
    return os.environ.get(name)


def load_rules(rules_dir: Path) -> tuple[Rule, ...]:
    """The rules of the folder's files, in order of file and place; none where there is no such folder.

    Raises ConfigError with every fault, two rules of one id among them.
    """
    files = _read_files(sorted(rules_dir.glob(f"*{_SUFFIX}")))
    rules, faults = read_documents(files.documents, {"rule": Rule})
    if files.faults or faults:
        raise ConfigError(sorted({*files.faults, *faults}))
    return tuple(rule for rule in rules["rule"] if isinstance(rule, Rule))


def _replace_identity(files: _Files, path: Path) -> None:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file. Name a YAML file with a document of kind identity.")
    other = _read_files([path])
    kinds = sorted({str(document.body.get("kind")) for document in other.documents})
    if not other.faults and kinds != ["identity"]:
        raise ConfigError(f"{path}: holds {', '.join(kinds) or 'nothing'}; one document of kind identity is needed.")
    files.documents = [document for document in files.documents if document.body.get("kind") != "identity"]
    files.documents += other.documents
    files.faults += other.faults


def load_workflows(path: Path) -> dict[str, Workflow]:
    """Name: workflow, of one file; raises ConfigError with every fault."""
    return parse_workflows(load_mapping(path), file=str(path))


def load_documents(paths: Iterable[Path]) -> tuple[Document, ...]:
    """The documents of some files; raises ConfigError with every fault of YAML."""
    files = _read_files(paths)
    if files.faults:
        raise ConfigError(sorted(set(files.faults)))
    return tuple(files.documents)


def load_mapping(path: Path) -> dict[str, Any]:
    """The one mapping that a file holds, empty for an empty file; raises ConfigError."""
    body, faults = _one_mapping(path)
    if faults:
        raise ConfigError(sorted(set(faults)))
    return body


def _one_mapping(path: Path) -> tuple[dict[str, Any], list[Fault]]:
    files = _Files()
    bodies = [body for body, _ in _bodies(path, files)]
    if len(bodies) > 1:
        files.give_up(path, f"{len(bodies)} documents; this file takes one")
    return (bodies[0] if bodies else {}), files.faults


def _read_files(paths: Iterable[Path]) -> _Files:
    files = _Files()
    for path in paths:
        seen: dict[str, int] = {}
        for body, repeated in _bodies(path, files):
            kind = str(body.get("kind", "document"))
            document = Document(str(path), seen.get(kind, 0), body)
            seen[kind] = document.index + 1
            files.documents.append(document)
            files.faults += [Fault(str(path), f"{document.path}{key_path}", message) for key_path, message in repeated]
    return files


def _bodies(path: Path, files: _Files) -> Iterator[tuple[dict[str, Any], Sequence[tuple[str, str]]]]:
    """(body, repeated keys) of each document; what cannot be read is told to `files`."""
    try:
        loader = PlainLoader(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as problem:
        return files.give_up(path, f"not UTF-8 text (byte {problem.start}); save it as UTF-8")
    except yaml.YAMLError as problem:
        return files.give_up(path, _syntax_message(problem))
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            body = loader.construct_document(node)
            if body is None:
                continue
            if not isinstance(body, dict):
                place = f"the document at line {node.start_mark.line + 1}"
                files.give_up(path, f"{place} is a {type(body).__name__}, not a mapping of keys to values")
                continue
            yield body, tuple(duplicate_keys(node))
    except yaml.YAMLError as problem:
        files.give_up(path, _syntax_message(problem))
    finally:
        loader.dispose()


def _syntax_message(problem: yaml.YAMLError) -> str:
    """Line and column first, as editors count them; never the text itself."""
    mark = getattr(problem, "problem_mark", None)
    said = getattr(problem, "problem", None) or getattr(problem, "reason", None) or "unreadable"
    context = getattr(problem, "context", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}not YAML: {said}{f' ({context})' if context else ''}"
