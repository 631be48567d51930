import numpy as np
import pytest

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.evaluation.embedder import CachedEmbedder


def test_every_row_and_every_list_of_texts_is_asked_for_once(embedder, benchmark):
    cached = CachedEmbedder(embedder)
    images = benchmark.test.images
    first = cached.images(images, np.array([5, 3, 5]))
    more = cached.images(images, np.array([2, 3, 4]))
    again = cached.images(images, np.array([4, 5]))
    cached.texts(["a", "b"])
    cached.texts(("a", "b"))
    assert embedder.asked == [("images", (3, 5)), ("images", (2, 4)), ("texts", ("a", "b"))]
    direct = embedder.images(images, np.array([5, 3, 5, 2, 3, 4, 4, 5]))
    assert np.array_equal(np.concatenate([first, more, again]), direct)


def test_sources_are_told_apart_by_their_fingerprint(embedder, benchmark):
    cached = CachedEmbedder(embedder)
    test = cached.images(benchmark.test.images, np.array([0]))
    train = cached.images(benchmark.train.images, np.array([0]))
    assert not np.array_equal(test, train)


def test_it_is_known_as_the_model_it_wraps(embedder):
    cached = CachedEmbedder(embedder)
    assert (cached.model_hash, cached.transform, cached.precision) == ("0123456789ab", "8x8 grey", "fp32")


@pytest.mark.parametrize("side", ["images", "texts"])
def test_features_that_are_not_finite_are_an_error(embedder, benchmark, side):
    if side == "images":
        embedder.image_matrix[0, 0] = np.nan
        with pytest.raises(ProtoclipError, match="not finite for 2 of 2 images") as error:
            CachedEmbedder(embedder).images(benchmark.test.images, np.array([0, 1]))
    else:
        embedder.text_matrix[ord("a"), 0] = 1e60  # too large for float32
        with np.errstate(over="ignore"), pytest.raises(ProtoclipError, match="for 1 of 2 texts") as error:
            CachedEmbedder(embedder).texts(["b", "aa"])
    assert "diverged" in error.value.hint
