"""YAML files become packs, settings, rules and workflows."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cdp_lib.errors import ConfigError
from cdp_lib.io.yaml_files import (
    environment_secret,
    load_documents,
    load_mapping,
    load_pack,
    load_rules,
    load_settings_files,
    load_workflows,
    pack_names,
)
from cdp_lib.settings.pack import Pack
from tests.unit.settings.conftest import LoadFaults, PACK, SOURCES, TRAITS, WritePack


def test_a_pack_is_found_by_name(write_pack: WritePack) -> None:
    folder = write_pack()
    pack = load_pack("gym", folder.parent)
    assert (pack.name, [source.id for source in pack.sources], len(pack.traits)) == ("gym", ["door"], 3)


def test_a_pack_is_loaded_from_any_directory(write_pack: WritePack, tmp_path: Path) -> None:
    folder = write_pack()
    elsewhere = folder.rename(tmp_path / "my shop")
    assert load_pack(str(elsewhere), Path("no/packs/here")).name == "gym"


def test_identity_and_traits_are_optional(load: Callable[..., Pack]) -> None:
    pack = load(identity=None, traits=None, exports=None, rules=None)
    assert (pack.identity.identifiers, pack.traits, pack.exports) == ((), (), ())


def test_an_unknown_pack_is_met_with_a_near_miss(write_pack: WritePack) -> None:
    packs = write_pack().parent
    with pytest.raises(ConfigError, match=r"no pack 'gim': no such folder .* Did you mean 'gym'\?"):
        load_pack("gim", packs)


def test_a_folder_without_yaml_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no pack '.*': no such folder with \.yml files"):
        load_pack(str(tmp_path), tmp_path)


def test_pack_names_are_the_folders_with_yaml(write_pack: WritePack) -> None:
    packs = write_pack().parent
    (packs / "empty").mkdir()
    assert pack_names(packs) == ["gym"]


def test_an_object_remembers_where_it_was_written(load: Callable[..., Pack]) -> None:
    file, path = load().place("trait", "spend_90d")
    assert (file.endswith("packs/gym/traits.yml"), path) == (True, "traits[1]")


def test_files_without_a_pack_and_sources_are_told_what_to_write(faults_of: LoadFaults) -> None:
    found = faults_of(pack=None, sources=None, traits=None, exports=None, identity="kind: identity\n")
    assert found == [
        "gym: no document of kind pack: write pack.yml",
        "gym: no document of kind source: write sources.yml",
    ]


def test_two_packs_in_one_folder_are_one_too_many(faults_of: LoadFaults) -> None:
    assert "gym: 2 documents of kind pack; a pack has one" in faults_of(
        pack=f"{PACK}---\n{PACK.replace('gym', 'gym2')}"
    )


def test_a_yaml_ending_that_is_not_read_is_a_fault(write_pack: WritePack) -> None:
    folder = write_pack()
    (folder / "models.yaml").write_text("kind: trait\n")
    with pytest.raises(ConfigError, match=r"models\.yaml: not read: rename it to models\.yml"):
        load_pack(str(folder), folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f"{TRAITS}---\nkind: trait\nname: x\nfrom: order\nselect: count(*)\nname: y\n",
            "traits[3].name: the key stands twice, in lines 18 and 21; keep one",
        ),
        (
            TRAITS.replace("window: 90d", "window: 90d\nwindow: 30d"),
            "traits[1].window: the key stands twice, in lines 10 and 11; keep one",
        ),
    ],
)
def test_a_key_that_stands_twice_is_a_fault_not_a_silent_loss(faults_of: LoadFaults, text: str, said: str) -> None:
    assert faults_of(traits=text) == [f"traits.yml: {said}"]


def test_a_key_twice_deep_inside_names_its_path(faults_of: LoadFaults) -> None:
    text = SOURCES.replace(
        "  card: {type: string, pii: online_id}", "  card: {type: string, pii: online_id, pii: email}"
    )
    assert faults_of(sources=text) == [
        "sources.yml: sources[0].columns.card.pii: the key stands twice, in lines 7 and 7; keep one"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- kind: trait\n", "traits.yml: the document at line 1 is a list, not a mapping of keys to values"),
        ("just words\n", "traits.yml: the document at line 1 is a str, not a mapping of keys to values"),
        ("name: x\nselect: count(*)\n", "traits.yml: documents[0]: no kind."),
        ("kind: [trait]\n", "traits.yml: ['trait']s[0]: unknown kind '['trait']'."),
        ("kind: trait\n  name: x\n", "traits.yml: line 2, column 7: not YAML: mapping values are not allowed here"),
    ],
)
def test_a_file_of_the_wrong_shape_is_named(faults_of: LoadFaults, text: str, said: str) -> None:
    (found,) = faults_of(traits=text, exports=None)
    assert found.startswith(said)


def test_text_that_is_not_utf8_is_named(write_pack: WritePack) -> None:
    folder = write_pack()
    (folder / "traits.yml").write_bytes("kind: trait\nname: caf\xe9\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"traits\.yml: not UTF-8 text \(byte 21\); save it as UTF-8"):
        load_pack(str(folder), folder)


def test_plain_words_and_codes_stay_texts(tmp_path: Path) -> None:
    path = tmp_path / "words.yml"
    path.write_text(
        "country: no\non: [y, off]\npostcode: 01234\nat: 12:30\nday: 2017-01-01\n"
        "yes: true\nshare: 1.5e-3\nnone: ~\nsize: '-'\n"
    )
    assert load_mapping(path) == {
        "country": "no", "on": ["y", "off"], "postcode": "01234", "at": "12:30", "day": "2017-01-01", "yes": True,
        "share": 0.0015, "none": None, "size": "-",
    }  # fmt: skip


def test_a_settings_file_holds_one_document(tmp_path: Path) -> None:
    path = tmp_path / "two.yml"
    path.write_text("a: 1\n---\nb: 2\n")
    with pytest.raises(ConfigError, match=r"two\.yml: 2 documents; this file takes one"):
        load_mapping(path)


def test_documents_count_by_kind_within_their_file(tmp_path: Path) -> None:
    path = tmp_path / "mixed.yml"
    path.write_text("kind: trait\n---\nkind: source\n---\nkind: trait\n")
    assert [document.path for document in load_documents([path])] == ["traits[0]", "sources[0]", "traits[1]"]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A folder of settings: a base and one environment."""
    (tmp_path / "base.yml").write_text("lakehouse: {root: /base}\nspark: {shuffle_partitions: 8}\n")
    (tmp_path / "local.yml").write_text("spark: {shuffle_partitions: 2}\n")
    (tmp_path / "workflows.yml").write_text("daily: {jobs: [bronze_ingest, silver_conform]}\n")
    return tmp_path


def test_an_environment_lies_over_the_base_and_the_command_line_over_both(conf: Path) -> None:
    settings = load_settings_files(conf, "local", {"lakehouse": {"root": "/mine"}})
    assert (settings.lakehouse.root, settings.spark.shuffle_partitions) == ("/mine", 2)


def test_an_unknown_environment_is_met_with_a_near_miss(conf: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"locl\.yml: no such file: unknown environment 'locl'. Did you mean 'local'\?"
    ):
        load_settings_files(conf, "locl")


def test_faults_of_yaml_and_of_settings_come_together(conf: Path) -> None:
    (conf / "base.yml").write_text("spark: {shuffle_partitons: 8}\n")
    (conf / "local.yml").write_text("spark: [\n")
    with pytest.raises(ConfigError) as caught:
        load_settings_files(conf, "local")
    assert len(caught.value.faults) == 2
    assert "Did you mean 'shuffle_partitions'?" in str(caught.value)
    assert "not YAML" in str(caught.value)


def test_a_secret_comes_from_the_environment_or_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("from-file\n")
    monkeypatch.setenv("IN_FILE_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("IN_ENV", "from-env")
    monkeypatch.delenv("NOWHERE", raising=False)
    assert [environment_secret(name) for name in ("IN_ENV", "IN_FILE", "NOWHERE")] == ["from-env", "from-file", None]


def test_workflows_are_read(conf: Path) -> None:
    assert load_workflows(conf / "workflows.yml")["daily"].jobs == ("bronze_ingest", "silver_conform")


def test_rules_are_read_in_order_and_faults_named(tmp_path: Path) -> None:
    rule = "kind: rule\nid: {id}\ntables: [silver.order]\nseverity: error\nvolume: {{at_least: 1}}\n"
    (tmp_path / "volume.yml").write_text(f"{rule.format(id='b')}---\n{rule.format(id='a')}")
    assert [one.id for one in load_rules(tmp_path)] == ["b", "a"]
    (tmp_path / "volume.yml").write_text(
        f"{rule.format(id='b')}---\n{rule.format(id='b').replace('severity', 'severty')}"
    )
    with pytest.raises(ConfigError) as caught:
        load_rules(tmp_path)
    assert [fault.path for fault in caught.value.faults] == ["rules[1]", "rules[1].severty"]


def test_no_rules_folder_means_no_rules(tmp_path: Path) -> None:
    assert load_rules(tmp_path / "rules") == ()
