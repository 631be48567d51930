import pytest
import torch
import torch.nn.functional as F

from protoclip_cli.core.errors import DataError
from protoclip_cli.prototypes.board import Board, make_board
from protoclip_cli.prototypes.board_files import BoardFiles
from protoclip_cli.prototypes.kmeans import KMeansSettings

NAMES = frozenset({"image<-text", "text<-image", "text", "image<-teacher"})


def features(rows=90, seed=0):
    chance = torch.Generator().manual_seed(seed)
    widths = {"image": 6, "text": 6, "teacher": 9}
    return {
        side: F.normalize(torch.randn(rows, width, generator=chance), dim=-1)
        for side, width in widths.items()
    }


def board(normalize=True, k=7, names=NAMES, seen=None):
    return make_board(
        seen or features(),
        names,
        dict.fromkeys(("image", "text", "teacher"), KMeansSettings(k=k)),
        seed=3,
        normalize=normalize,
    )


def test_each_source_is_clustered_once_and_moved_where_it_is_read():
    made, seen = board(normalize=False), features()
    assert made.labels.keys() == {"image", "text", "teacher"}
    assert made.prototypes.keys() == NAMES | {"image", "teacher"}
    for name, student, source in (
        ("image<-text", "image", "text"),
        ("text<-image", "text", "image"),
        ("image<-teacher", "image", "teacher"),
    ):
        for cluster in range(len(made.prototypes[source])):
            members = seen[student][made.labels[source] == cluster]
            torch.testing.assert_close(made.prototypes[name][cluster], members.mean(dim=0))


def test_prototypes_have_unit_length_unless_the_originals_means_are_wanted():
    for rows in board().prototypes.values():
        torch.testing.assert_close(rows.norm(dim=-1), torch.ones(len(rows)))
    assert all((rows.norm(dim=-1) < 0.999).all() for rows in board(normalize=False).prototypes.values())


@pytest.mark.filterwarnings("ignore:Number of distinct clusters")
def test_clusters_without_members_are_left_out():
    seen = features()
    seen["text"] = seen["text"][:3].repeat(30, 1)  # three different rows cannot fill seven clusters
    made = board(seen=seen)
    assert len(made.prototypes["text"]) == len(made.prototypes["image<-text"]) == 3
    assert sorted(made.labels["text"].unique().tolist()) == [0, 1, 2]
    assert made.statistics["prototypes/text/live"] == 3
    assert made.statistics["prototypes/image/live"] == 7


def test_a_step_sees_the_clusters_of_its_rows():
    made = board()
    positions = torch.tensor([5, 80, 5])
    seen = made.at(frozenset({"image<-text"}), positions)["image<-text"]
    assert seen.labels.tolist() == made.labels["text"][positions].tolist()
    assert seen.labels.dtype == torch.long
    assert seen.centroids is made.prototypes["image<-text"]
    assert seen.source is made.prototypes["text"]


def test_a_board_comes_back_from_disk(tmp_path):
    files, made = BoardFiles(tmp_path / "prototypes"), board()
    digest = files.save(made, 4)
    back = files.load(4, digest)
    for part in ("labels", "prototypes"):
        torch.testing.assert_close(dict(getattr(back, part)), dict(getattr(made, part)), rtol=0, atol=0)
    assert back.statistics == made.statistics
    assert [path.name for path in files.folder.iterdir()] == ["episode_4.safetensors"]


def test_another_board_than_the_one_saved_is_refused(tmp_path):
    files = BoardFiles(tmp_path / "prototypes")
    digest = files.save(board(), 4)
    files.save(board(k=5), 4)
    with pytest.raises(DataError, match="not what was saved"):
        files.load(4, digest)
    with pytest.raises(DataError, match="missing"):
        files.load(3, digest)
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"nonsense")
    with pytest.raises(DataError, match="cannot be read"):
        Board.load(path)


def test_only_boards_in_use_are_kept(tmp_path):
    files = BoardFiles(tmp_path / "prototypes")
    files.prune({1})
    for episode in range(4):
        files.save(board(), episode)
    (files.folder / ".episode_9.safetensors.tmp").write_bytes(b"half")
    files.prune({1, 3, -1})
    assert sorted(path.name for path in files.folder.iterdir()) == [
        "episode_1.safetensors",
        "episode_3.safetensors",
    ]
