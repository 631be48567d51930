"""What single pictures do with odd things."""

import dataclasses
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from protoclip_cli.drawing.clusters import find_clusters
from protoclip_cli.drawing.pictures import PICTURES
from protoclip_cli.drawing.pictures.retrieval_sheets import nearest
from protoclip_cli.drawing.scene import Scene
from protoclip_cli.drawing.session import draw
from protoclip_cli.drawing.smoothing import smoothed
from protoclip_cli.drawing.tiles import Tiles


def unwatched(_what, _done, _total):
    pass


@pytest.fixture
def drawn(tmp_path):
    """`drawn(scene, kind, ...)` draws pictures into a folder."""

    def made(scene, *kinds, svg=False, **fields):
        pictures = [PICTURES.spec(kind).model_validate({"kind": kind, **fields}) for kind in kinds]
        return draw(pictures, scene, tmp_path / "figures", svg=svg, progress=unwatched)

    return made


def test_missing_images_are_grey_tiles_and_counted(drawn, gallery):
    notes = []
    scene = Scene(gallery=gallery(missing=range(40)), note=notes.append)
    done = drawn(scene, "retrieval_sheets", queries=2)
    assert len(done.files) == 2
    assert notes == ["12 images could not be read, and are grey tiles"]
    tile = Tiles(gallery(missing=[3]).images).tile(3, 16)
    assert set(tile.reshape(-1).tolist()) == {150, 190}


def test_features_that_have_collapsed_are_one_cluster_and_no_map(drawn, gallery):
    notes = []
    scene = Scene(gallery=gallery(features=np.ones((40, 8), np.float32)), note=notes.append)
    done = drawn(scene, "cluster_sheets", "modality_gap", "tsne", "similarity", "retrieval_sheets")
    assert done.left_out == {"tsne": "needs at least 5 different features, and the model's are fewer"}
    assert {path.stem for path in done.files} >= {"clusters_image", "clusters_agreement", "modality_gap"}
    assert "cluster_sheets: all image features are one cluster; they have collapsed" in notes


def test_fewer_points_than_the_perplexity_lower_it(drawn, gallery):
    notes = []
    drawn(Scene(gallery=gallery(6), note=notes.append), "tsne")
    assert "tsne: 12 points allow a perplexity of 3.7 at most" in notes


def test_a_later_map_of_other_rows_is_left_out_with_what_to_do(drawn, gallery, tmp_path):
    path = tmp_path / "map.npz"
    drawn(Scene(gallery=gallery(8), kept_map=path), "tsne")
    assert path.is_file()
    done = drawn(Scene(gallery=gallery(9), kept_map=path), "tsne", "similarity")
    assert "delete the map" in done.left_out["tsne"]
    assert len(done.files) == 1


def test_colours_by_label_need_labels(drawn, gallery):
    done = drawn(Scene(gallery=gallery(labels=False)), "tsne", colour="label")
    assert "these pairs have none" in done.left_out["tsne"]


def test_a_run_without_scores_says_how_to_get_some(drawn, records):
    bare = dataclasses.replace(records(), scores=[])
    done = drawn(Scene(records=[bare]), "score_curves", "training_curves")
    assert "protoclip evaluate" in done.left_out["score_curves"]
    assert [path.name for path in done.files] == ["training_curves.png"]


def test_metrics_that_are_not_finite_are_told(drawn, records):
    notes = []
    drawn(Scene(records=[records()], note=notes.append), "training_curves")
    assert notes == ["training_curves: 1 values are not finite and leave gaps"]


def test_markup_in_captions_is_text_in_a_whole_svg(drawn, gallery):
    done = drawn(Scene(gallery=gallery()), "cluster_sheets", svg=True)
    for path in done.files:
        if path.suffix == ".svg":
            tags = {element.tag.rpartition("}")[2] for element in ET.parse(path).iter()}
            assert "script" not in tags
            assert "<script>alert" not in path.read_text()


def test_the_same_scene_gives_the_same_files(drawn, gallery):
    first, second = (
        [path.read_bytes() for path in drawn(Scene(gallery=gallery()), "modality_gap", svg=True).files]
        for _ in range(2)
    )
    assert first == second


def test_two_pictures_of_a_kind_do_not_overwrite_each_other(drawn, gallery):
    done = drawn(Scene(gallery=gallery()), "similarity", "similarity")
    assert [path.name for path in done.files] == ["similarity.png", "similarity_2.png"]


def test_a_thousand_images_do_not_stay_open(tmp_path):
    resource = pytest.importorskip("resource")
    Image.new("RGB", (8, 8)).save(tmp_path / "one.png")

    kept = []

    class Files:
        def image(self, row, draft=None):  # noqa: ARG002
            image = Image.open(tmp_path / "one.png")
            kept.append(image)  # a source that never lets go
            return image

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, limits[1]))
    try:
        tiles = Tiles(Files())
        for row in range(200):
            tiles.tile(row, 8)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert tiles.missing == 0


def test_clusters_come_by_size_and_nearest_first():
    rows = np.array([[1, 0], [1, 0.1], [1, -0.3], [0, 1]], np.float32)
    clusters = find_clusters(rows / np.linalg.norm(rows, axis=1, keepdims=True), 2, 0)
    assert clusters.labels.tolist() == [0, 0, 0, 1]
    assert clusters.nearest(0, 2).tolist() == [0, 1]


def test_the_nearest_of_equal_candidates_is_the_first():
    same = np.ones((7, 2), np.float32)
    assert nearest(same[:1], same).tolist() == [[0, 1, 2, 3, 4]]


def test_smoothing_keeps_a_level_and_follows_a_step():
    curve = smoothed(np.array([0.0] * 50 + [1.0] * 50), 5.0)
    assert curve[49] == 0
    assert 0.1 < curve[50] < 0.3
    assert curve[-1] == pytest.approx(1, abs=1e-3)
