"""A folder imports only from floors below. What a rule can hold, nobody has to remember."""

import ast
import importlib
import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import protoclip_cli
from protoclip_cli.core.catalog import Catalog

ROOT = Path(protoclip_cli.__file__).parent
FLOORS = {
    folder: floor
    for floor, folders in enumerate(
        [
            "core",
            "compute store metrics",
            "data models objectives prototypes optimization",
            "training evaluation drawing gathering sharing",
            "recipe",
            "workflows",
            "cli",
        ]
    )
    for folder in folders.split()
}
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
SLOW = [
    "torch",
    "torchvision",
    "open_clip",
    "accelerate",
    "matplotlib",
    "pandas",
    "sklearn",
    "transformers",
    "numpy",
]
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc"}

every_module = pytest.mark.parametrize("name", MODULES)


def _tree(name):
    return ast.parse(MODULES[name].read_text())


def _imports(name):
    """Modules of this package that a module imports, inside functions too."""
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (n for n in names if n in MODULES and n != "protoclip_cli")


def _folder(name):
    return name.split(".")[1]


def test_every_folder_has_a_floor():
    folders = {path.relative_to(ROOT).parts[0] for path in MODULES.values() if path.parent != ROOT}
    assert folders <= FLOORS.keys()
    assert {"core", "compute", "objectives", "optimization"} <= folders


@every_module
def test_a_module_imports_its_own_folder_and_lower_floors_only(name):
    if MODULES[name].parent == ROOT:
        pytest.skip("stands outside of the floors")
    folder = _folder(name)
    wrong = [
        other
        for other in _imports(name)
        if _folder(other) != folder and FLOORS.get(_folder(other), 99) >= FLOORS[folder]
    ]
    assert wrong == []


@every_module
def test_a_name_says_what_a_module_is(name):
    assert name.rpartition(".")[2].lstrip("_") not in VAGUE


@every_module
def test_no_file_is_longer_than_300_lines(name):
    assert len(MODULES[name].read_text().splitlines()) <= 300


@every_module
def test_no_function_has_more_than_50_statements(name):
    functions = [n for n in ast.walk(_tree(name)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [f.name for f in functions if sum(isinstance(n, ast.stmt) for n in ast.walk(f)) - 1 > 50]
    assert long == []


def _catalogs():
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    for name in sorted(packages):
        if "Catalog(" in MODULES[name].read_text():
            module = importlib.import_module(name)
            yield from (value for _, value in inspect.getmembers(module) if isinstance(value, Catalog))


def test_every_catalog_module_defines_one_spec_of_its_name():
    catalogs = list(_catalogs())
    packages = {catalog.package for catalog in catalogs}
    assert {"protoclip_cli.objectives", "protoclip_cli.optimization.schedules"} <= packages
    for catalog in catalogs:
        for kind in catalog.kinds():
            annotation = catalog.spec(kind).model_fields["kind"].annotation  # spec() refuses none and several
            assert annotation.__args__ == (kind,), f"{catalog.package}.{kind}"


def test_every_field_of_every_catalog_is_described():
    bare = [
        f"{catalog.package}.{kind}: {name}"
        for catalog in _catalogs()
        for kind in catalog.kinds()
        for name, field in catalog.spec(kind).model_fields.items()
        if name != "kind" and not field.description
    ]
    assert bare == []


def test_the_command_line_starts_without_slow_libraries():
    if importlib.util.find_spec("protoclip_cli.cli.main") is None:
        pytest.skip("no command line yet")
    code = f"import sys, protoclip_cli.cli.main; print([m for m in {SLOW} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
