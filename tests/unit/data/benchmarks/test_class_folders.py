import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.readers.class_folders import ClassFoldersSpec


@pytest.fixture
def birds(tmp_path, draw):
    draw(tmp_path, "test/wren/1.jpg", "test/wren/2.jpg", "test/emu/3.jpg", "test/emu/4.jpg")
    draw(tmp_path, "train/wren/5.jpg", "train/emu/6.jpg")
    return tmp_path


def test_splits_and_names(birds, contents):
    found = ClassFoldersSpec(path=birds, classes=["Wren", ["Emu", "big bird"]], templates=["a {c}."]).open()
    assert (found.classes, found.synonyms) == (("Emu", "Wren"), (("Emu", "big bird"), ("Wren",)))
    assert (found.templates, found.split, found.val) == (("a {}.",), "test", None)
    assert contents(found.test) == [(0, 3), (0, 4), (1, 1), (1, 2)]
    assert contents(found.train) == [(0, 6), (1, 5)]
    assert found.notes == ()


def test_the_first_folder_that_is_there_is_scored(tmp_path, draw):
    draw(tmp_path, "val/a/1.jpg", "trainlist01/a/2.jpg", "valid/a/3.jpg")
    found = ClassFoldersSpec(path=tmp_path, test=["test", "val"], train=["trainlist01"], val=["valid"]).open()
    assert found.split == "val"
    assert [len(part.rows) for part in (found.test, found.train, found.val)] == [1, 1, 1]


def test_unpadded_numbers_keep_their_names(tmp_path, draw, contents):
    draw(tmp_path, *(f"test/{number}/x.jpg" for number in range(11)))
    names = [f"class {number}" for number in range(11)]
    found = ClassFoldersSpec(path=tmp_path, classes=names).open()
    assert found.classes == tuple(names)
    assert contents(found.test) == [(number, number + 1) for number in range(11)]


def test_in_string_order_a_list_is_that_of_other_tools(tmp_path, draw, contents):
    draw(tmp_path, "test/10/a.jpg", "test/3/b.jpg", "test/4/c.jpg")
    found = ClassFoldersSpec(path=tmp_path, classes=["ten", "three", "four"], string_order=True).open()
    assert (found.classes, contents(found.test)) == (("ten", "three", "four"), [(0, 1), (1, 2), (2, 3)])


def test_a_species_without_a_test_image_is_no_class(tmp_path, draw, contents):
    draw(tmp_path, "test/1/a.jpg", "test/3/b.jpg", "train/1/c.jpg", "train/2/d.jpg", "train/3/e.jpg")
    (tmp_path / "test" / "2").mkdir()
    (tmp_path / "species.txt").write_text("id\tcommon\tdir\n1\tWren\tw\n2\tDodo\td\n3\tEmu\te\n")
    found = ClassFoldersSpec(path=tmp_path, names_file=tmp_path / "species.txt").open()
    assert found.classes == ("Wren", "Emu")
    assert contents(found.train) == [(0, 3), (1, 5)]
    assert "1 classes of" in found.notes[0]


def test_names_of_numbers_are_in_classes_txt(tmp_path, draw):
    draw(tmp_path, "test/1/a.jpg", "test/2/b.jpg")
    with pytest.raises(DataError, match="numbers, and nothing says"):
        ClassFoldersSpec(path=tmp_path).open()
    (tmp_path / "classes.txt").write_text("2\tEmu\n1\tWren\n")
    assert ClassFoldersSpec(path=tmp_path).open().classes == ("Wren", "Emu")


def test_every_second_image_is_fitted_on(tmp_path, draw, contents):
    draw(tmp_path, "test/a/1.jpg", *(f"train/a/{number}.jpg" for number in range(8)))
    found = ClassFoldersSpec(path=tmp_path, train_every=2, train_most=3).open()
    assert contents(found.train) == [(0, 2), (0, 4), (0, 6)]


def test_prompts_of_classes(birds):
    path = birds / "prompts.json"
    path.write_text('{"b": {"emu": ["a big emu.", "an emu."], "wren": ["a wren."]}}')
    found = ClassFoldersSpec(path=birds, templates=f"{path}:b").open()
    assert (found.templates, found.prompts) == ((), (("a big emu.", "an emu."), ("a wren.",)))
    path.write_text('{"b": {"emu": ["an emu."]}}')
    with pytest.raises(DataError, match="no prompts for 1 classes: wren"):
        ClassFoldersSpec(path=birds, templates=f"{path}:b").open()


def test_without_templates_there_are_none(birds):
    assert ClassFoldersSpec(path=birds).open().templates == ()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"classes": ["wren", "emu", "ostrich"]}, "2 classes for 3 names"),
        ({"classes": ["wren", "ostrich"]}, "not in the list of names: emu"),
        ({"templates": ["a photo."]}, "must have one {}"),
        ({"test": ["val"]}, "no folder .*val"),
    ],
)
def test_what_is_wrong_is_said(birds, settings, message):
    with pytest.raises(DataError, match=message):
        ClassFoldersSpec(path=birds, **settings).open()


def test_a_missing_folder_says_what_to_put_where(tmp_path):
    reader = ClassFoldersSpec(path="birdsnap", test=["test"]).below(tmp_path)
    assert reader.missing() == (tmp_path / "birdsnap" / "test",)
    with pytest.raises(DataError) as error:
        reader.open()
    assert f"{tmp_path}/birdsnap/test/<class>/" in error.value.hint


def test_stray_files_are_told(birds):
    (birds / "test" / "readme.md").write_text("x")
    assert "1 files or folders" in ClassFoldersSpec(path=birds).open().notes[0]
