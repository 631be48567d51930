"""A folder is whole or not there, and nothing is lost that is not an earlier export."""

import pytest

from protoclip_cli.core.errors import ProtoclipError, UsageError
from protoclip_cli.sharing.exported_folder import MARK, exported_folder


def export(place, text="new", *, force=False, fail=False):
    with exported_folder(place, force=force) as folder:
        (folder / "weights").write_text(text)
        (folder / MARK).write_text("{}")
        if fail:
            raise KeyboardInterrupt


def left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_it_appears_whole_in_a_folder_that_was_not_there(tmp_path):
    export(tmp_path / "a" / "b")
    assert left(tmp_path / "a") == ["b"]
    assert left(tmp_path / "a" / "b") == [MARK, "weights"]


def test_an_end_before_the_end_leaves_nothing_and_takes_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        export(tmp_path / "b", fail=True)
    assert left(tmp_path) == []
    export(tmp_path / "b", "old")
    with pytest.raises(KeyboardInterrupt):
        export(tmp_path / "b", force=True, fail=True)
    assert (tmp_path / "b" / "weights").read_text() == "old"
    assert left(tmp_path) == ["b"]


def test_a_second_export_needs_force(tmp_path):
    export(tmp_path / "b", "old")
    with pytest.raises(UsageError, match="holds an exported model already") as error:
        export(tmp_path / "b")
    assert "--force" in error.value.hint
    export(tmp_path / "b", force=True)
    assert (tmp_path / "b" / "weights").read_text() == "new"
    assert left(tmp_path) == ["b"]


@pytest.mark.parametrize("force", [False, True])
def test_what_is_no_export_is_never_replaced(tmp_path, force):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years")
    with pytest.raises(UsageError, match="files in it that are no exported model"):
        export(tmp_path / "mine", force=force)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years"
    with pytest.raises(UsageError, match="is a file"):
        export(tmp_path / "mine" / "thesis.tex", force=force)


def test_a_place_below_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ProtoclipError, match="while exporting to"):
        export(tmp_path / "file" / "b")


def test_an_empty_folder_is_as_good_as_none(tmp_path):
    (tmp_path / "b").mkdir()
    export(tmp_path / "b")
    assert left(tmp_path / "b") == [MARK, "weights"]
