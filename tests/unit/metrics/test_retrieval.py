import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protoclip_cli.core.errors import ProtoclipError
from protoclip_cli.metrics.ranking import ranks, within
from protoclip_cli.metrics.retrieval import mean_rank, median_rank, retrieval_ranks


@st.composite
def pairs(draw):
    """Few images with one to four captions each; small whole numbers, so that many scores tie."""
    n = draw(st.integers(1, 9))
    owner = np.concatenate([np.arange(n), draw(st.lists(st.integers(0, n - 1), max_size=20))]).astype(
        np.int64
    )
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    rng.shuffle(owner)
    top = draw(st.sampled_from([2, 1000]))
    images = rng.integers(-top, top, (n, 3)).astype(np.float32)
    texts = rng.integers(-top, top, (len(owner), 3)).astype(np.float32)
    return images, texts, owner


def by_sorting(images, texts, owner):
    """The definition, by sorting everything."""

    def unit(x):
        x = x.astype(np.float64)
        return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)

    scores = np.round(unit(images) @ unit(texts).T, 7)
    texts_first = np.argsort(-scores, axis=1, kind="stable")
    images_first = np.argsort(-scores.T, axis=1, kind="stable")
    return (
        [min(np.flatnonzero(owner[order] == image)) for image, order in enumerate(texts_first)],
        [int(np.flatnonzero(order == owner[text])[0]) for text, order in enumerate(images_first)],
    )


@settings(deadline=None, max_examples=60)
@given(pairs(), st.integers(1, 12))
def test_any_chunk_gives_what_sorting_gives(made, chunk):
    found = retrieval_ranks(*made, chunk=chunk)
    image_to_text, text_to_image = by_sorting(*made)
    assert found.image_to_text.tolist() == image_to_text
    assert found.text_to_image.tolist() == text_to_image


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000))
def test_the_order_of_rows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    images, texts = rng.normal(size=(12, 5)), rng.normal(size=(30, 5))
    owner = np.concatenate([np.arange(12), rng.integers(0, 12, 18)])
    found = retrieval_ranks(images, texts, owner)
    image_order, text_order = rng.permutation(12), rng.permutation(30)
    place = np.argsort(image_order)
    moved = retrieval_ranks(images[image_order], texts[text_order], place[owner[text_order]])
    assert (moved.image_to_text == found.image_to_text[image_order]).all()
    assert (moved.text_to_image == found.text_to_image[text_order]).all()


def test_length_does_not_matter():
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(20, 8)), rng.normal(size=(20, 8))
    longer = images * rng.uniform(0.01, 100, (20, 1))
    own = np.arange(20)
    assert (
        retrieval_ranks(longer, texts, own).image_to_text == retrieval_ranks(images, texts, own).image_to_text
    ).all()


@pytest.mark.parametrize("width", [7, 64, 512])
def test_of_equal_candidates_the_lower_position_wins(width):
    """A collapsed model: every score is the same, so the rank is the position, on any number of rows."""
    feature = np.random.default_rng(width).normal(size=(1, width)).astype(np.float32)
    features = np.repeat(feature, 1_003, axis=0)
    found = retrieval_ranks(features, features, np.arange(1_003), chunk=100)
    assert (found.image_to_text == np.arange(1_003)).all()
    assert (found.text_to_image == np.arange(1_003)).all()
    assert within(found.image_to_text, 1) == 1 / 1_003


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_features_that_are_not_finite_are_an_error(broken, side):
    features = [np.ones((4, 2)), np.ones((4, 2))]
    features[side][2, 1] = broken
    with pytest.raises(ProtoclipError, match=r"1 of 4 .* not finite"):
        retrieval_ranks(*features, np.arange(4))


@pytest.mark.parametrize("owner", [[0, 0, 0], [0, 1, 2]])
def test_an_image_without_a_caption_is_an_error(owner):
    with pytest.raises(ValueError, match="caption"):
        retrieval_ranks(np.ones((2, 2)), np.ones((3, 2)), np.array(owner))


def test_memory_grows_with_the_chunk_only():
    import tracemalloc

    features = np.random.default_rng(0).normal(size=(6_000, 4)).astype(np.float32)
    tracemalloc.start()
    retrieval_ranks(features, features, np.arange(6_000), chunk=50)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6_000 * 6_000  # a quarter of one float32 matrix of all scores


def test_ranks_of_a_worked_example():
    images = np.array([[1.0, 0.0], [0.0, 1.0]])
    texts = np.array([[0.0, 1.0], [0.6, 0.8], [0.8, 0.6]])
    found = retrieval_ranks(images, texts, np.array([0, 1, 0]))
    assert found.image_to_text.tolist() == [0, 1]  # the second caption of image 0 is the best of all
    assert found.text_to_image.tolist() == [1, 0, 0]
    assert found.mean_recall == pytest.approx((1 / 2 + 1 + 1 + 2 / 3 + 1 + 1) / 6)


def test_mean_and_median_rank_count_from_one():
    found = np.array([0, 1, 2, 6])
    assert mean_rank(found) == 3.25
    assert median_rank(found) == 2  # 1.5 + 1, rounded down


def test_ranks_know_more_candidates_than_queries():
    candidates = np.eye(3)
    assert ranks(np.array([[1.0, 2.0, 3.0]]), candidates, np.array([0])).tolist() == [2]
