import pytest

from protoclip_cli.core.errors import UsageError
from protoclip_cli.store.lines import append_lines, read_lines
from protoclip_cli.store.run import RunFolder, safe_name


def steps(path):
    return [row["step"] for row in read_lines(path)]


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("tea[glove]_stu[RN50]", "tea_glove_stu_RN50"),
        ("a/b\\c:d*e?f", "a_b_c_d_e_f"),
        ("../../etc/passwd", "etc_passwd"),
        (".hidden", "hidden"),
        ("lr=1e-3,wd=0.1+x@y", "lr=1e-3,wd=0.1+x@y"),
        ("größe 猫", "größe_猫"),
        ("🐕", "run"),
        ("   ", "run"),
    ],
)
def test_a_run_of_any_name_has_a_folder_without_tricks(name, folder):
    assert safe_name(name) == folder


def test_cutting_back_forgets_what_came_after(tmp_path):
    run = RunFolder(tmp_path)
    for path in (run.metrics, run.timings, run.events, run.scores):
        append_lines(path, [{"step": step} for step in (4, 8, 8, 9)])
    run.cut_back(8, evaluated=True)
    assert [steps(path) for path in (run.metrics, run.timings, run.events, run.scores)] == [[4, 8, 8]] * 4
    run.cut_back(8, evaluated=False)
    assert steps(run.metrics) == [4, 8, 8]
    assert steps(run.scores) == [4]


def test_cutting_back_keeps_rows_that_belong_to_no_step(tmp_path):
    run = RunFolder(tmp_path)
    append_lines(run.events, [{"event": "recipe_changed"}, {"event": "x", "step": None}, {"step": 3}])
    run.cut_back(0, evaluated=True)
    assert [row.get("event") for row in read_lines(run.events)] == ["recipe_changed", "x"]


def test_a_new_run_needs_room_of_its_own(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        RunFolder(tmp_path / "file").create()
    with pytest.raises(UsageError, match=r"no recipe.yaml, so it is not a run") as caught:
        RunFolder(tmp_path).create()
    assert "--run" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_a_crash_at_the_very_start_leaves_is_room(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.create()  # the process is killed here, before the recipe is written
    (run.path / ".recipe.yaml.tmp").write_text("na")
    run.create()
    assert not run.exists


def test_status(tmp_path):
    run = RunFolder(tmp_path)
    assert run.read_status() == {}
    run.write_status(state="running", step=3)
    assert run.read_status() == {"state": "running", "step": 3}
