from types import SimpleNamespace

import numpy as np
import pytest
import torch

from protoclip_cli.core.errors import DataError
from protoclip_cli.evaluation.teacher_embedder import TeacherEmbedder
from protoclip_cli.models.bank_encoder import open_encoder, save_encoder
from protoclip_cli.models.builders import TEXT_ENCODERS

TEXTS = ["a cat on a mat", "a dog on a log", "a cat and a dog", "two dogs", "a log", "a mat"] * 3


class Texts(list):
    def slice(self, start, stop):
        return self[start:stop]


@pytest.fixture
def encoder(tmp_path):
    spec = TEXT_ENCODERS.spec("lsa")(kind="lsa", dim=3)
    save_encoder(tmp_path / "encoder", spec, spec.open(Texts(TEXTS), seed=0, device="cpu"))
    return tmp_path / "encoder"


def student(features="proto"):
    return SimpleNamespace(
        model_hash="m",
        transform="t",
        precision="fp32",
        features=features,
        identity="i",
        device=torch.device("cpu"),
        images=lambda _, rows: np.ones((len(rows), 3), np.float32),
    )


def test_images_are_the_students_and_texts_the_teachers(encoder):
    embedder = TeacherEmbedder(student(), encoder)
    assert embedder.features == "proto<-teacher"
    assert embedder.images(None, np.arange(4)).shape == (4, 3)
    expected = open_encoder(encoder, device=torch.device("cpu")).embed(TEXTS[:2])
    np.testing.assert_array_equal(embedder.texts(TEXTS[:2]), expected)


def test_features_of_another_teacher_are_others_in_the_cache(encoder):
    before = TeacherEmbedder(student(), encoder).identity
    (encoder / "more").write_text("x")
    assert TeacherEmbedder(student(), encoder).identity != before


@pytest.mark.parametrize("folder", [None, "missing"])
def test_without_a_teacher_it_says_what_is_needed(folder, tmp_path):
    with pytest.raises(DataError, match="no teacher that could embed prompts"):
        TeacherEmbedder(student(), None if folder is None else tmp_path / folder)
