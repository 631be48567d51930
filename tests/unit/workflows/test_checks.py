"""Each check sees what it is there for."""

from collections import namedtuple
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from protoclip_cli.workflows.checks import machine
from protoclip_cli.workflows.checks.accelerator import accelerator
from protoclip_cli.workflows.checks.caches import caches
from protoclip_cli.workflows.checks.packages import packages


def problems(findings):
    return [(finding.says, finding.fix) for finding in findings if finding.state == "problem"]


def installed(**versions):
    def version(name):
        if name not in versions:
            raise PackageNotFoundError(name)
        return versions[name]

    return version


def required(*lines):
    return lambda _: list(lines)


def test_a_package_that_is_missing_or_too_old():
    needs = required(
        "torch>=2.6", "rich>=13", 'faiss-gpu>=1; sys_platform == "nowhere"', 'wandb; extra == "wandb"'
    )
    found = list(packages(needs, installed(torch="2.5")))
    assert problems(found) == [
        ("torch is 2.5, not >=2.6", "pip install 'torch>=2.6'"),
        ("rich is not installed", "pip install 'rich>=13'"),
    ]
    (extra,) = (finding for finding in found if finding.area == "extras")
    assert (extra.state, extra.fix) == ("note", "pip install 'protoclip[wandb]'")
    assert "wandb" in extra.says


def test_all_packages_and_extras_are_there():
    found = list(packages(required("torch>=2.6", 'onnx; extra == "onnx"'), installed(torch="2.9", onnx="1")))
    assert problems(found) == []
    assert [finding.says for finding in found if finding.area == "extras"] == ["onnx: installed"]


def test_two_packages_of_faiss():
    both = installed(**{"faiss-cpu": "1", "faiss-gpu": "1"})
    assert "both installed" in problems(packages(required(), both))[0][0]


def test_sources_that_nobody_installed():
    def nothing(_):
        raise PackageNotFoundError

    assert [finding.state for finding in packages(nothing, installed())] == ["ok", "note"]


def test_a_driver_whose_gpu_torch_does_not_see(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert problems(accelerator(tmp_path / "none")) == []
    (tmp_path / "version").write_text("NVRM")
    ((says, fix),) = problems(accelerator(tmp_path / "version"))
    assert "sees no GPU" in says
    assert "pytorch.org" in fix


def test_little_shared_memory(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(0, 0, 64 * 2**20))
    ((says, fix),) = problems(machine.shared_memory(tmp_path))
    assert "67 MB free" in says
    assert "--shm-size" in fix
    assert [finding.state for finding in machine.shared_memory(tmp_path / "none")] == ["note"]
    assert len(problems(machine.disks(tmp_path))) == 2


def test_more_threads_than_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    ((says, fix),) = problems(machine.cores())
    assert says.startswith("OMP_NUM_THREADS is 4096, more than the ")
    assert fix.startswith("export OMP_NUM_THREADS=")


def test_a_share_of_the_cores(tmp_path, monkeypatch):
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert machine._quota(tmp_path / "cpu.max") == 0.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert machine._quota(tmp_path / "cpu.max") is None
    monkeypatch.setattr(machine, "_quota", lambda: 0.5)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    says = next(finding.says for finding in machine.cores() if finding.state == "note")
    assert "container may use 0.5 cores" in says


def test_offline_with_and_without_models(tmp_path):
    variables = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PROTOCLIP_DATA": str(tmp_path)}

    def offline():
        return next(finding for finding in caches(variables) if finding.area == "offline")

    assert offline().state == "note"
    (tmp_path / "hub" / "models--openai--clip").mkdir(parents=True)
    assert offline().state == "ok"
    assert "openai/clip" in offline().says
    assert "is not set" in next(f for f in caches({"HF_HOME": str(tmp_path)}) if f.area == "offline").says


@pytest.mark.parametrize("variable", ["HF_HOME", "PROTOCLIP_DATA"])
def test_folders_that_are_none(tmp_path, variable):
    (tmp_path / "file").write_text("")
    variables = {"HF_HOME": str(tmp_path), variable: str(tmp_path / "file")}
    ((says, _),) = problems(caches(variables))
    assert str(tmp_path / "file") in says
    assert Path(tmp_path / "file").read_text() == ""
