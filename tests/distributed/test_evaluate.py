"""Several processes encode a share each: every row once, the scores of one process, nobody left waiting."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from protoclip_cli.compute.processes import fail_together, on_all, rank
from protoclip_cli.core.errors import DataError, ProtoclipError
from protoclip_cli.evaluation.model_embedder import ModelEmbedder
from protoclip_cli.evaluation.subjects import Wanted
from protoclip_cli.models.builders.open_clip import OpenClipSpec
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.recipe.evaluate import EvaluateRecipe
from protoclip_cli.workflows.evaluate import compare
from protoclip_cli.workflows.evaluator import EvaluateSettings

CONFIG = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 4},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(0)
    towers = OpenClipSpec.rebuild({"model_cfg": CONFIG})
    save_file(towers.clip.state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": {}}))
    return folder


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label in ("ant", "bee", "cow"):
            (tmp_path / "photos" / split / label).mkdir(parents=True)
            for number in range(7):
                pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "photos" / split / label / f"{number}.png")
    return tmp_path / "photos"


def _evaluate(folder, photos, caches):
    refs = [{"kind": "folder", "path": str(photos)}]
    tasks = {kind: {"benchmarks": refs} for kind in ("zero_shot", "clustering")}
    probes = EvaluateRecipe.model_validate({"tasks": tasks}).tasks
    found = []
    for cache_bytes in caches:
        settings = EvaluateSettings(batch=4, cache_bytes=cache_bytes)
        (scores,) = compare([Wanted(str(folder))], probes, settings).scores.values()
        found.append({(score.probe, score.metric): (score.value, score.n) for score in scores})
    return found


def test_scores_are_those_of_one_process_with_and_without_a_cache(on_processes, exported, photos):
    ((alone,),) = on_processes(1, _evaluate, exported, photos, [0])
    assert alone["zero_shot", "top1"][1] == 21  # no row twice, none filled up
    for processes in on_processes(2, _evaluate, exported, photos, [0, 10**9, 10**9]):
        for found in processes:
            assert found.keys() == alone.keys()
            for key, (value, n) in found.items():
                assert (value, n) == (pytest.approx(alone[key][0], abs=1e-6), alone[key][1])


class Numbered:
    """Images of one grey each; on the last rank one cannot be read."""

    fingerprint, in_memory = "numbered", True

    def __init__(self, broken):
        self.broken = broken

    def __len__(self):
        return 9

    def image(self, row, draft=None):  # noqa: ARG002
        if row == self.broken:
            raise DataError(f"picture {row} is broken", hint="mend it")
        return Image.new("RGB", (32, 32), (int(row) * 25,) * 3)

    def place(self, row):
        return f"picture {row}"


def _embed(broken):
    torch.manual_seed(0)
    model = DualEncoder(OpenClipSpec.rebuild({"model_cfg": CONFIG}), {})
    embedder = ModelEmbedder(model, torch.device("cpu"), batch=2)
    rows = np.array([8, 0, 3, 5, 1, 2, 7])
    try:
        return embedder.images(Numbered(broken), rows), embedder.using("backbone").images(
            Numbered(broken), rows
        )
    except DataError as error:
        return str(error), error.hint


def test_rows_come_back_in_the_order_they_were_asked_for(on_processes):
    ((alone, behind),) = on_processes(1, _embed, None)
    for found, backbone in on_processes(3, _embed, None):
        np.testing.assert_allclose(found, alone, atol=1e-5)
        np.testing.assert_allclose(backbone, behind, atol=1e-5)


def test_an_image_that_one_process_cannot_read_ends_all_in_the_same_words(on_processes):
    assert on_processes(2, _embed, 7) == [("picture 7 is broken", "mend it")] * 2


def _agree():
    mine = on_all(torch.tensor([True, rank() == 0, False]))
    try:
        fail_together(ProtoclipError("mine", hint="do") if rank() == 1 else None)
    except ProtoclipError as error:
        return mine.tolist(), type(error).__name__, str(error), error.hint
    return None


def test_what_one_has_met_all_raise(on_processes):
    assert on_processes(2, _agree) == [([True, False, False], "ProtoclipError", "mine", "do")] * 2
    assert on_processes(1, _agree) == [None]
