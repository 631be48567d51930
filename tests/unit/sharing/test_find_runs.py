from pathlib import Path

import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.sharing.find_runs import find_runs
from protoclip_cli.sharing.run_record import labels_of


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("runs/a.10", "runs/a.2", "runs/deep/er/b", "runs/[odd]"):
        Path(name).mkdir(parents=True)
        (Path(name) / "recipe.yaml").write_text("name: x\n")
    (tmp_path / "runs/a.2/code").mkdir()
    (tmp_path / "runs/a.2/code/recipe.yaml").write_text("name: a copy\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    return tmp_path


def test_parents_patterns_and_runs_in_the_order_of_people_each_once(runs):
    everything = ["runs/[odd]", "runs/a.2", "runs/a.10", "runs/deep/er/b"]
    assert [str(path) for path in find_runs(["runs/"])] == everything
    assert [str(path) for path in find_runs(["runs/a.*", str(runs / "runs/a.2"), "runs/[odd]"])] == [
        "runs/a.2",
        "runs/a.10",
        "runs/[odd]",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere", "there is no nowhere"),
        ("empty", "empty is no run"),
        ("file", "file is no run"),
        ("z*", "no z"),
    ],
)
def test_what_is_no_run_is_named(runs, name, words):
    assert runs.is_dir()
    with pytest.raises(DataError, match=words) as caught:
        find_runs(["runs", name])
    assert "protoclip train" in str(caught.value.hint)


def test_runs_of_the_same_name_are_told_apart():
    paths = [Path("x/one/a"), Path("y/one/a"), Path("y/two/a"), Path("b")]
    assert labels_of(paths) == ["x/one/a", "y/one/a", "two/a", "b"]
