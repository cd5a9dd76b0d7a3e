"""Settings: layers over layers, every fault named, secrets never shown."""

from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr, ValidationError

from cdp_lib.errors import ConfigError
from cdp_lib.settings.settings import merge_settings, Settings, SettingsLayer

CONF = Path(__file__).parents[2] / "conf"


def layer_of(file: str) -> SettingsLayer:
    """A layer as it stands in the project's own conf folder."""
    return SettingsLayer(f"conf/{file}", yaml.safe_load((CONF / file).read_text()))


def faults_of(*layers: SettingsLayer, **secrets: str) -> list[str]:
    """The messages of all faults that the layers have."""
    with pytest.raises(ConfigError, match=r"\w") as raised:
        merge_settings(*layers, resolve_secret=secrets.get)
    return [str(fault) for fault in raised.value.faults]


def test_no_layer_gives_the_defaults() -> None:
    assert merge_settings() == Settings()
    assert (Settings().lakehouse.root, Settings().landing.root) == (".lakehouse", ".landing")


def test_later_layer_wins_key_by_key() -> None:
    settings = merge_settings(
        SettingsLayer("base.yml", {"spark": {"shuffle_partitions": 8, "extra": {"spark.a": "1", "spark.b": "1"}}}),
        SettingsLayer("local.yml", {"spark": {"master": "local[*]", "extra": {"spark.b": "2"}}}),
        SettingsLayer("command line", {"lakehouse": {"root": "elsewhere"}}),
    )

    assert settings.spark.shuffle_partitions == 8
    assert settings.spark.master == "local[*]"
    assert settings.spark.extra == {"spark.a": "1", "spark.b": "2"}
    assert settings.lakehouse.root == "elsewhere"


def test_merging_leaves_the_layers_as_they_were() -> None:
    base: dict[str, object] = {"spark": {"shuffle_partitions": 8}}

    merge_settings(SettingsLayer("a", base), SettingsLayer("b", {"spark": {"shuffle_partitions": 2}}))

    assert base == {"spark": {"shuffle_partitions": 8}}


def test_yaml_booleans_and_numbers_become_spark_s_spelling() -> None:
    settings = merge_settings(SettingsLayer("a", {"spark": {"extra": {"spark.on": True, "spark.n": 4}}}))

    assert settings.spark.extra == {"spark.on": "true", "spark.n": "4"}


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().spark.driver_memory = "1g"


@pytest.mark.parametrize("environment", ["local.yml", "cluster.yml"])
def test_shipped_files_are_valid(environment: str) -> None:
    settings = merge_settings(layer_of("base.yml"), layer_of(environment))

    assert (settings.spark.master is None) == (environment == "cluster.yml")


def test_all_faults_of_all_layers_are_told_at_once() -> None:
    faults = faults_of(
        SettingsLayer("base.yml", {"lakehous": {}, "spark": {"shufle_partitions": 3, "driver_memory": "lots"}}),
        SettingsLayer("local.yml", {"spark": {"shufle_partitions": 4, "extra": {"sprk.x": 1}}, "retry": 5}),
    )

    assert faults == [
        "base.yml: lakehous: unknown key 'lakehous'. Did you mean 'lakehouse'?",
        "base.yml: spark.driver_memory: memory is whole megabytes or gigabytes, such as 512m or 4g (found 'lots')",
        "base.yml: spark.shufle_partitions: unknown key 'shufle_partitions'. Did you mean 'shuffle_partitions'?",
        "local.yml: retry: Input should be a valid dictionary or instance of RetrySettings (found 5)",
        "local.yml: spark.extra.sprk.x: the full name of a Spark option starts with 'spark.' (found 'sprk.x')",
        "local.yml: spark.shufle_partitions: unknown key 'shufle_partitions'. Did you mean 'shuffle_partitions'?",
    ]


def test_wrong_value_is_charged_to_the_layer_that_set_it_last() -> None:
    faults = faults_of(
        SettingsLayer("base.yml", {"spark": {"shuffle_partitions": 8}}),
        SettingsLayer("local.yml", {"spark": {"shuffle_partitions": 0}}),
        SettingsLayer("command line", {"landing": {"root": "in"}}),
    )

    assert faults == ["local.yml: spark.shuffle_partitions: Input should be greater than or equal to 1 (found 0)"]


def test_a_log_level_may_be_written_in_any_case() -> None:
    assert merge_settings(SettingsLayer("command line", {"log": {"level": "debug"}})).log.level == "DEBUG"


def test_secret_becomes_a_value_that_does_not_show_itself() -> None:
    settings = merge_settings(
        SettingsLayer("a", {"spark": {"extra": {"spark.hadoop.k": "id:${SECRET:STORE_KEY}"}}}),
        resolve_secret={"STORE_KEY": "hush"}.get,
    )

    secret = settings.spark.extra["spark.hadoop.k"]

    assert isinstance(secret, SecretStr)
    assert secret.get_secret_value() == "id:hush"
    assert "hush" not in repr(settings) + settings.model_dump_json()


def test_unresolved_secrets_are_named_with_the_other_faults() -> None:
    extra = {
        "spark.hadoop.a": "${SECRET:FIRST}",
        "spark.hadoop.b": "${SECRET:SECOND}",
        "spark.hadoop.c": "${SECRET:KNOWN}",
    }

    faults = faults_of(SettingsLayer("a.yml", {"spark": {"extra": extra, "ui": "perhaps"}}), KNOWN="hush")

    assert [fault.split(". ")[0] for fault in faults] == [
        "a.yml: spark.extra.spark.hadoop.a: secret 'FIRST' is not set",
        "a.yml: spark.extra.spark.hadoop.b: secret 'SECOND' is not set",
        "a.yml: spark.ui: Input should be a valid boolean, unable to interpret input (found 'perhaps')",
    ]


def test_overridden_secret_need_not_resolve() -> None:
    settings = merge_settings(
        SettingsLayer("a", {"spark": {"extra": {"spark.hadoop.k": "${SECRET:ABSENT}"}}}),
        SettingsLayer("b", {"spark": {"extra": {"spark.hadoop.k": "plain"}}}),
    )

    assert settings.spark.extra["spark.hadoop.k"] == "plain"


@pytest.mark.parametrize("written", ["${SECRET:}", "${SECRET:my-key}", "${secret:KEY}", "${ SECRET:KEY }"])
def test_misspelt_secret_is_no_plain_value(written: str) -> None:
    (fault,) = faults_of(SettingsLayer("a.yml", {"landing": {"root": written}}))

    assert fault == "a.yml: landing.root: a secret is written ${SECRET:NAME}, with letters, digits and _"


def test_secret_where_none_belongs_is_refused_without_showing_it() -> None:
    (fault,) = faults_of(SettingsLayer("a.yml", {"landing": {"root": "${SECRET:PLACE}"}}), PLACE="hush")

    assert fault == "a.yml: landing.root: takes no secret; write the value itself"
