"""`protoclip export` from the outside, and back through `protoclip train --init`."""

import importlib.util
import json
import shutil
import warnings

import numpy as np
import open_clip
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file

from protoclip_cli.core.types import Modality
from protoclip_cli.evaluation.subjects import Wanted, open_subject
from protoclip_cli.sharing.exported_folder import MARK
from protoclip_cli.store.lines import read_lines
from protoclip_cli.workflows.export import Hub, export

TEXTS = ["a photo of a dog", "greek small letter alpha, bold sans"]
OPENAIS = {
    "embed_dim": 8,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
}


def model_of(path, **more):
    with open_subject(Wanted(str(path), **more), lambda _: None) as found:
        return found.model.eval()


@torch.no_grad()
def features(model):
    pixels = torch.randint(
        0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    tokens = model.towers.tokenizer(TEXTS)
    return model(Modality.IMAGE, pixels).embedding, model(Modality.TEXT, tokens).embedding


def assert_same(one, other):
    for a, b in zip(features(one), features(other), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.fixture
def exported(call, whole, tmp_path):
    """A run whose vocabulary is compacted, exported for open_clip."""
    done = call("export", whole, "--to", "open_clip", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'out'}\n"
    assert "heads are left out (proto)" in done.stderr
    assert "features of unit length differ at most by: images" in done.stderr
    return tmp_path / "out"


def test_a_run_goes_to_open_clip_and_everyone_there_sees_the_same_features(exported, whole):
    trained = model_of(whole)
    assert_same(model_of(exported), trained)
    theirs, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{exported}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{exported}")
    assert len(theirs.token_embedding.weight) == 49_408
    with torch.no_grad():
        found = theirs.eval().encode_text(tokenizer(TEXTS))
        torch.testing.assert_close(found, features(trained)[1], rtol=1e-5, atol=1e-6)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    ours = trained._normalise(torch.from_numpy(pixels).permute(2, 0, 1))
    torch.testing.assert_close(preprocess(Image.fromarray(pixels)), ours)
    assert not list(exported.parent.glob(".*"))


def test_clip_benchmark_loads_it(exported):
    clip_benchmark = pytest.importorskip("clip_benchmark.models.open_clip")
    model, _, tokenizer = clip_benchmark.load_open_clip(f"local-dir:{exported}", pretrained=None)
    assert model.encode_text(tokenizer(TEXTS)).shape == (2, 16)


def test_the_card_has_scores_data_recipe_and_environment_of_this_checkpoint(exported, whole):
    card = (exported / "README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    last = [row for row in read_lines(whole / "scores.jsonl") if row["episode"] == 2]
    results = front["model-index"][0]["results"]
    assert [entry["metrics"][0]["value"] for entry in results] == pytest.approx(
        [row["value"] for row in last]
    )
    assert front["library_name"] == "open_clip"
    assert "kind: glyphs" in card.partition("## Data")[2].partition("## Recipe")[0]
    assert "vocabulary: used" in card.partition("## Recipe")[2]
    assert f"torch: {torch.__version__.split('+')[0]}" in card.partition("## Environment")[2]
    mark = json.loads((exported / MARK).read_text())
    assert (mark["to"], mark["episode"], mark["step"]) == ("open_clip", 2, 15)
    assert mark["model_hash"] == last[0]["model_hash"]
    assert mark["difference"]["text"] <= 1e-5


def test_evaluate_scores_it_as_the_run(exported, copied, call, photos):
    common = ("--data", photos, "--tasks", "zero_shot", "--json")
    done = call("evaluate", "--ckpt", exported, "--run", copied, *common)
    rows = json.loads(done.stdout)["scores"]
    values = [row["value"] for row in rows if row["metric"] == "top1"]
    assert len(values) == 2
    assert values[0] == values[1]


def test_a_second_export_is_refused_without_force(exported, call, whole):
    arguments = ("export", whole, "--to", "safetensors", "--out", exported)
    done = call(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--force" in done.stderr
    assert (exported / "open_clip_config.json").exists()
    assert call(*arguments, "--force").exit_code == 0
    assert not (exported / "open_clip_config.json").exists()
    again = model_of(exported)
    assert list(again.head_specs) == ["proto"]
    assert_same(again, model_of(whole))


@pytest.mark.parametrize("to", ["hf", "openai", "timm"])
def test_towers_without_a_counterpart_are_refused_with_the_formats_that_work(to, call, whole, tmp_path):
    done = call("export", whole, "--to", to, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert f"cannot be exported to {to}: " in done.stderr
    assert "hint: formats that work: onnx, open_clip, safetensors" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_works_and_writes_nothing(call, whole, tmp_path):
    done = call("export", whole, "--dry-run")
    assert (done.exit_code, done.stdout.split()) == (0, ["onnx", "open_clip", "safetensors"])
    assert "residual networks" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_said(call, whole, tmp_path, monkeypatch):
    assert "--to FORMAT is missing" in call("export", whole).stderr
    assert "--out DIR is missing" in call("export", whole, "--to", "timm").stderr
    assert call("export", tmp_path / "nowhere", "--to", "timm", "--out", "out").exit_code == 4
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if "onnx" in name else find(name, *a)
    )
    done = call("export", whole, "--to", "onnx", "--out", tmp_path / "out")
    assert done.exit_code == 5
    assert "pip install 'protoclip[onnx]'" in done.stderr


def test_a_half_written_checkpoint_is_refused(call, copied, tmp_path):
    last = copied / "checkpoints" / "step_15"
    weights = last / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    done = call("export", last, "--to", "open_clip", "--out", tmp_path / "out")
    assert done.exit_code == 4
    assert "is damaged: model.safetensors" in done.stderr
    assert not (tmp_path / "out").exists()
    done = call("export", copied, "--to", "open_clip", "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0
    assert "trying the one before" in done.stderr
    assert json.loads((tmp_path / "out" / MARK).read_text())["step"] < 15
    assert json.loads(done.stdout)["files"] == sorted(path.name for path in (tmp_path / "out").iterdir())


def test_a_folder_that_cannot_be_written_is_one_line(call, whole, tmp_path):
    (tmp_path / "file").write_text("")
    done = call("export", whole, "--to", "safetensors", "--out", tmp_path / "file" / "out")
    assert done.exit_code == 1
    assert done.stderr.count("error: ") == 1


def test_it_is_pushed_after_it_is_written(whole, tmp_path, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    seen = []

    class Api:
        def create_repo(self, repo, **_):
            return f"https://hub/{repo}"

        def upload_folder(self, *, folder_path, **_):
            seen.extend(sorted(path.name for path in (tmp_path / "out").iterdir()))
            assert folder_path == str(tmp_path / "out")

    done = export(str(whole), "open_clip", tmp_path / "out", hub=Hub("me/mine", api=Api()))
    assert done.url == "https://hub/me/mine"
    assert {"README.md", "open_clip_config.json", "open_clip_model.safetensors"} <= set(seen)
    assert "local-dir:me/mine" in (tmp_path / "out" / "README.md").read_text()


# And back.


def start(call, recipe_file, path, *more, name="tiny-back", **parts):
    """Train for next to nothing from these weights."""
    file = recipe_file(
        f"{name}.yaml", name=name, prototypes=None, teacher=None, towers=None, evaluate=None, validation=None,
        objectives={"clip": {"kind": "info_nce"}}, optimizer={"kind": "adamw", "lr": 1e-12},
        episodes={"count": 1}, schedule={"kind": "constant"}, **parts,
    )  # fmt: skip
    return call("train", file, "--init", path, *more)


@pytest.fixture
def architecture(tiny, tmp_path):
    return shutil.copy(tiny / "configs" / "test-tiny.json", tmp_path / "tiny-back.json")


def model_part(architecture, **heads):
    return {"kind": "open_clip", "name": str(architecture), "heads": heads}


def test_an_export_is_a_start(exported, call, recipe_file, architecture):
    done = start(call, recipe_file, exported, model=model_part(architecture))
    assert done.exit_code == 0, done.stderr
    began, ended = model_of(exported), model_of("runs/tiny-back")
    torch.testing.assert_close(features(ended)[1], features(began)[1])  # texts have no running statistics
    assert began.towers.clip.logit_scale.item() == pytest.approx(ended.towers.clip.logit_scale.item())


def test_a_run_is_a_start_with_its_heads(call, recipe_file, architecture, whole):
    head = {"kind": "mlp", "hidden": 12, "dim": 8}
    done = start(call, recipe_file, whole, model=model_part(architecture, proto=head))
    assert done.exit_code == 0, done.stderr
    assert "heads that start from the weights: proto" in done.stderr
    name = "text_projection_heads.proto.0.weight"
    before = load_file(whole / "checkpoints" / "last" / "model.safetensors")[name]
    after = load_file("runs/tiny-back/checkpoints/last/model.safetensors")[name]
    torch.testing.assert_close(before, after)
    done = start(
        call, recipe_file, whole, model=model_part(architecture, proto={**head, "dim": 5}), name="other"
    )
    assert done.exit_code == 3
    assert "model.heads.proto is not the head in the weights" in done.stderr


def test_a_file_of_protoclip_is_a_start_with_its_activation(call, recipe_file, architecture, whole, tmp_path):
    state = load_file(whole / "checkpoints" / "last" / "model.safetensors")
    names = {key.replace("_heads.proto.", "_head."): value for key, value in state.items()}
    names["logit_scale_proto"] = torch.tensor(1.0)
    wrapped = {f"module.{key}": value for key, value in names.items()}
    torch.save({"epoch": 3, "state_dict": wrapped, "optimizer": {}}, tmp_path / "epoch_3.pt")
    done = start(call, recipe_file, tmp_path / "epoch_3.pt", model=model_part(architecture))
    assert done.exit_code == 0, done.stderr
    assert "in the weights and not in model.heads: proto" in done.stderr
    ended = model_of("runs/tiny-back")
    assert ended.towers.description.config["model_cfg"]["quick_gelu"] is True
    torch.testing.assert_close(ended.towers.clip.text_projection.detach(), state["text_projection"])


def test_bad_starts_are_one_line(call, recipe_file, architecture, exported, tmp_path):
    part = model_part(architecture)
    done = start(call, recipe_file, tmp_path / "nowhere.pt", model=part)
    assert done.exit_code == 2
    assert "there is no file or folder" in done.stderr
    (tmp_path / "empty").mkdir()
    done = start(call, recipe_file, tmp_path / "empty", model=part, name="b")
    assert (done.exit_code, done.stderr.count("error: ")) == (3, 1)
    assert "has no weights in it" in done.stderr
    done = start(call, recipe_file, exported, name="c")
    assert done.exit_code == 3
    assert "brings weights, and model.pretrained names others" in done.stderr


def test_a_model_of_openais_kind_goes_everywhere_and_comes_back(call, recipe_file, tmp_path):
    (tmp_path / "openais.json").write_text(json.dumps(OPENAIS))
    torch.manual_seed(5)
    first = start(call, recipe_file, "file.pt", "--dry-run", name="x")
    assert first.exit_code == 2  # no such file yet
    open_clip.add_model_config(tmp_path / "openais.json")
    torch.save(open_clip.create_model("openais").state_dict(), tmp_path / "file.pt")
    began = model_of(tmp_path / "file.pt", model=str(tmp_path / "openais.json"))
    for to in ("openai", "hf", "timm"):
        done = call("export", "file.pt", "--model", "openais.json", "--to", to, "--out", to)
        assert done.exit_code == 0, done.stderr
    again = model_of("openai/model.pt", model="openai/architecture.json")
    assert_same(again, began)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # it first tries a way of torch that is deprecated
        theirs = open_clip.load_openai_model("openai/model.pt", precision="fp32", device="cpu")
    found = theirs.encode_text(began.towers.tokenizer(TEXTS))
    torch.testing.assert_close(found, features(began)[1], rtol=5e-3, atol=5e-3)  # it rounds to half precision
    done = start(call, recipe_file, "openai", model=model_part(tmp_path / "openais.json"))
    assert done.exit_code == 0, done.stderr
    assert_same(model_of("runs/tiny-back"), began)
