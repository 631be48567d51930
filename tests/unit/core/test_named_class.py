import sys
from abc import ABC, abstractmethod
from pathlib import Path

import pytest

from protoclip_cli.core.named_class import named_class


class Base(ABC):
    @abstractmethod
    def grow(self): ...

    @abstractmethod
    def age(self): ...


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty working directory that Python does not look into by itself."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in {"", str(tmp_path)}])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def refusal(name, base=object, *, here=True):
    with pytest.raises(ValueError, match=r".") as error:
        named_class(name, base, here=here)
    return str(error.value)


@pytest.mark.parametrize("name", ["a:b:c", ":b", "a:", "a.:b", "../a:b", "a b:c", "a:b()"])
def test_a_name_is_a_module_and_a_class(name):
    assert refusal(name) == f"'{name}' is not written as package.module:Class"


def test_a_class_in_the_current_directory_for_those_who_may_look_there(desk):
    (desk / "mine").mkdir()
    (desk / "mine" / "trees.py").write_text("class Oak(dict): pass\n")
    holders = "PYTHONPATH must hold it"
    assert refusal("mine.trees:Oak", here=False) == f"there is no module 'mine'; {holders}"
    assert "mine.trees" not in sys.modules
    found = named_class("mine.trees:Oak", dict, here=True)
    assert (found.__name__, found.__module__) == ("Oak", "mine.trees")
    assert named_class("mine.trees:Oak", dict) is found


def test_a_file_in_the_current_directory_never_replaces_an_installed_module(desk):
    (desk / "mine.py").write_text("class Oak: pass\n")
    (desk / "colorsys.py").write_text("raise AssertionError\n")
    sys.modules.pop("colorsys", None)
    named_class("mine:Oak", object, here=True)
    assert Path(sys.modules["mine"].__file__).parent == desk
    import colorsys

    assert Path(colorsys.__file__).parent != desk


@pytest.mark.usefixtures("desk")
def test_no_such_module_says_where_it_must_be():
    holders = "the current directory or PYTHONPATH must hold it"
    assert refusal("nowhere:X") == f"there is no module 'nowhere'; {holders}"
    assert refusal("nowhere.at.all:X") == f"there is no module 'nowhere'; {holders}"
    assert refusal("json.nothing:X") == f"there is no module 'json.nothing'; {holders}"


def test_a_module_that_fails_says_how_and_where(desk):
    (desk / "broken.py").write_text("import json\n\nlength = 1 / 0\n")
    (desk / "lacking.py").write_text("import nowhere_at_all\n")
    assert refusal("broken:X") == (
        "the module 'broken' cannot be imported: ZeroDivisionError: division by zero (broken.py:3)"
    )
    assert "cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all'" in refusal("lacking:X")


def test_no_such_class_names_the_nearest(desk):
    (desk / "trees.py").write_text("class Oak: pass\nash = 3\n")
    assert refusal("trees:Oat") == "the module 'trees' has no 'Oat'; did you mean 'Oak'?"
    assert refusal("trees:Xylophone") == "the module 'trees' has no 'Xylophone'"


def test_something_else_is_refused(desk):
    (desk / "trees.py").write_text("class Oak: pass\nash = 3\n")
    wanted = f"must be derived from {Base.__module__}.Base"
    assert refusal("trees:Oak", Base) == f"'trees:Oak' {wanted}"
    assert refusal("trees:ash", Base) == f"'trees:ash' {wanted}"


def test_an_unfinished_class_says_what_it_lacks(monkeypatch):
    monkeypatch.setitem(sys.modules, "unfinished", sys.modules[__name__])
    assert refusal("unfinished:Base", Base) == "'unfinished:Base' is unfinished: it does not define age, grow"
