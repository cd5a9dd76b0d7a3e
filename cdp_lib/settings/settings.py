"""How the suite runs on this machine or cluster: typed, frozen, free of any business and of any file access."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, get_args, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from cdp_lib.errors import ConfigError, Fault, near_miss
from cdp_lib.settings.kind import AS_WRITTEN, Frozen, NOTHING_BEHIND

SecretResolver = Callable[[str], str | None]
"""The value of a named secret, or None when nobody knows it; `os.environ.get` is one."""

_PLACEHOLDER = re.compile(r"\$\{SECRET:([A-Za-z_][A-Za-z0-9_]*)\}")
_MEANT_AS_PLACEHOLDER = re.compile(r"\$\{\s*secret", re.IGNORECASE)


def _spark_text(value: object) -> object:
    """YAML's `true` and `8` in the spelling that Spark reads."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _memory(value: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]*[mg]", value):
        raise ValueError("memory is whole megabytes or gigabytes, such as 512m or 4g")
    return value


def _spark_key(value: str) -> str:
    if not value.startswith("spark."):
        raise ValueError("the full name of a Spark option starts with 'spark.'")
    return value


Memory = Annotated[str, AfterValidator(_memory)]
"""JVM memory: whole megabytes or gigabytes, `512m` or `4g`."""

SparkKey = Annotated[str, AfterValidator(_spark_key)]
SparkValue = Annotated[str | SecretStr, BeforeValidator(_spark_text)]
_Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
LOG_LEVELS: tuple[str, ...] = get_args(_Level)
LogLevel = Annotated[_Level, BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)]


class LakehouseSettings(Frozen):
    """Where tables live."""

    root: str = Field(default=".lakehouse", min_length=1, description="Tables are at <root>/<pack>/<layer>/<table>")
    catalog: str | None = Field(default=None, description="Catalog that also names the tables; none: paths only")


class LandingSettings(Frozen):
    """Where the sources drop their files."""

    root: str = Field(default=".landing", min_length=1, description="Files are at <root>/<pack>/...")


class SparkSettings(Frozen):
    """The session's size and place; under spark-submit the submitter's master, memory and jars win."""

    master: str | None = Field(default=None, description="E.g. local[*]; none: spark-submit gives it")
    shuffle_partitions: int = Field(default=200, ge=1)
    driver_memory: Memory = "4g"
    executor_memory: Memory | None = None
    java_options: str = Field(default="", description="More options of the driver's JVM")
    jars_dir: str = Field(default=".jars", min_length=1, description="Where `make setup` puts the Delta jars")
    local_dir: str | None = Field(default=None, description="Scratch space of shuffles; none: the system's")
    ui: bool = Field(default=False, description="Serve Spark's own web pages")
    extra: dict[SparkKey, SparkValue] = Field(default_factory=dict, description="Further Spark options, by full name")


class LogSettings(Frozen):
    """How much is said, and where Spark says it."""

    level: LogLevel = "INFO"
    spark_level: LogLevel = "WARNING"
    spark_file: str | None = Field(default=None, description="File for the JVM's own lines; none: standard error")


class RetrySettings(Frozen):
    """How often a job that failed is tried again, and the wait between tries, which doubles."""

    attempts: int = Field(default=1, ge=1, description="Tries in all, the first included")
    first_wait_seconds: float = Field(default=2.0, ge=0)
    longest_wait_seconds: float = Field(default=60.0, ge=0)


class MlflowSettings(Frozen):
    """Where trainings are recorded and models registered."""

    tracking_uri: str | None = Field(
        default=None, description="An MLflow server or store; none: mlflow.db in the lakehouse, which must be a folder"
    )
    artifacts: str | None = Field(
        default=None, description="Folder of the runs' files; none: mlflow_artifacts in the lakehouse"
    )


class SendingSettings(Frozen):
    """How messages leave, and where what must outlive a crash is kept."""

    folder: str | None = Field(
        default=None,
        description="Journal, stop file and key: a folder on a disk of this machine; none: in the lakehouse",
    )
    forget_after_days: int = Field(
        default=7,
        ge=1,
        description="How long old versions of ops.list_entry keep what lists were told of who has left, and the outbox "
        "what dry runs rendered",
    )
    flush_count: int = Field(default=2000, ge=1, description="Outcomes that go into ops.delivery in one commit")
    lanes: int = Field(
        default=8, ge=1, le=64, description="Requests at once to a destination that takes one customer each"
    )
    attempts: int = Field(default=4, ge=1, description="Tries of a request that a channel puts off")
    longest_wait_seconds: float = Field(
        default=60.0, ge=0, description="Between two tries, unless the channel says more"
    )


class Settings(Frozen):
    """Everything an environment decides."""

    lakehouse: LakehouseSettings = LakehouseSettings()
    landing: LandingSettings = LandingSettings()
    spark: SparkSettings = SparkSettings()
    log: LogSettings = LogSettings()
    retry: RetrySettings = RetrySettings()
    mlflow: MlflowSettings = MlflowSettings()
    sending: SendingSettings = SendingSettings()


@dataclass(frozen=True)
class SettingsLayer:
    """One origin of settings: its file as shown to people (or `command line`), and its values."""

    file: str
    values: Mapping[str, object] = field(default_factory=dict)


def merge_settings(*layers: SettingsLayer, resolve_secret: SecretResolver | None = None) -> Settings:
    """The settings that the layers give together, a later layer over an earlier one, key by key.

    A value with `${SECRET:NAME}` in it becomes a SecretStr, its names replaced through `resolve_secret`. Raises
    ConfigError with every unknown key (and its near-miss), wrong value and unresolved secret of all layers.
    """
    merged: dict[str, object] = {}
    for layer in layers:
        merged = _merge(merged, layer.values)
    texts = list(_texts(merged))
    names = {name for _, text in texts for name in _PLACEHOLDER.findall(text)}
    secrets = {name: resolve_secret(name) if resolve_secret else None for name in names}
    faults = [fault for path, text in texts for fault in _secret_faults(path, text, secrets, layers)]
    try:
        settings = Settings.model_validate(_reveal(merged, secrets), context=AS_WRITTEN)
    except ValidationError as problem:
        faults += [fault for error in problem.errors(include_url=False) for fault in _faults(error, layers)]
        raise ConfigError(sorted(set(faults))) from None
    if faults:
        raise ConfigError(sorted(set(faults)))
    return settings


def _merge(lower: Mapping[str, object], upper: Mapping[str, object]) -> dict[str, object]:
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _texts(tree: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(tree, str):
        yield path, tree
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _texts(value, (*path, str(key)))


def _reveal(tree: object, secrets: Mapping[str, str | None]) -> object:
    if isinstance(tree, Mapping):
        return {key: _reveal(value, secrets) for key, value in tree.items()}
    if isinstance(tree, str) and _PLACEHOLDER.search(tree):
        return SecretStr(_PLACEHOLDER.sub(lambda found: secrets[found[1]] or "", tree))
    return tree


def _secret_faults(
    path: Sequence[str], text: str, secrets: Mapping[str, str | None], layers: Sequence[SettingsLayer]
) -> Iterator[Fault]:
    where = ".".join(path)
    if _MEANT_AS_PLACEHOLDER.search(_PLACEHOLDER.sub("", text)):
        yield Fault(_origins(path, layers)[-1], where, "a secret is written ${SECRET:NAME}, with letters, digits and _")
    for name in _PLACEHOLDER.findall(text):
        if secrets[name] is None:
            cure = f"Set the environment variable {name}, or put it where your secrets are kept."
            yield Fault(_origins(path, layers)[-1], where, f"secret '{name}' is not set. {cure}")


def _faults(error: ErrorDetails, layers: Sequence[SettingsLayer]) -> Iterator[Fault]:
    """pydantic's error in our words: an unknown key once per layer that has it, a wrong value where it was last set."""
    path = [str(part) for part in error["loc"] if part != "[key]"]
    if path[:2] == ["spark", "extra"]:
        path = path[:3]  # pydantic adds the branches of a value's union
    origins = _origins(path, layers)
    where = ".".join(path)
    if error["type"] == "extra_forbidden":
        for origin in origins:
            yield Fault(origin, where, f"unknown key '{path[-1]}'.{near_miss(path[-1], _keys_of(path[:-1]))}")
    elif isinstance(error["input"], SecretStr):
        yield Fault(origins[-1], where, "takes no secret; write the value itself")
    elif error["input"] is None:
        yield Fault(origins[-1], where, NOTHING_BEHIND)
    else:
        yield Fault(origins[-1], where, f"{error['msg'].removeprefix('Value error, ')} (found {error['input']!r})")


def _origins(path: Sequence[str], layers: Sequence[SettingsLayer]) -> list[str]:
    """The files that set the key, in layer order."""
    return [layer.file for layer in layers if _holds(layer.values, path)]


def _holds(tree: object, path: Sequence[str]) -> bool:
    if not path:
        return True
    return isinstance(tree, Mapping) and path[0] in tree and _holds(tree[path[0]], path[1:])


def _keys_of(path: Sequence[str]) -> list[str]:
    """The keys that may stand below the path: the sections, or one section's fields."""
    model: type[Frozen] = Settings
    for part in path:
        model = type(model.model_fields[part].default)
    return list(model.model_fields)
