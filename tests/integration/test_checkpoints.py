"""Frames whose lineage is cut lie in a folder that holds nothing of anybody before or after."""

from pathlib import Path

from pyspark.sql import SparkSession

from cdp_lib.io.checkpoints import checkpoints, folder_of_look, folder_of_run


def test_what_a_killed_run_left_is_gone_before_the_next_one_keeps_anything(spark: SparkSession, tmp_path: Path) -> None:
    folder = Path(folder_of_run(str(tmp_path)))
    left = folder / "0b1c" / "rdd-7" / "part-00000"
    left.parent.mkdir(parents=True)
    left.write_text("rows of people")

    with checkpoints(spark, str(folder)) as keep:
        assert not left.exists()
        kept = keep(spark.range(3))
        assert kept.count() == 3
        assert any(folder.rglob("part-*"))

    assert not folder.exists()


def test_two_who_look_do_not_share_a_folder(tmp_path: Path) -> None:
    assert folder_of_look(str(tmp_path)) != folder_of_look(str(tmp_path))
