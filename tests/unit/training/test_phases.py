from protoclip_cli.core.types import Modality
from protoclip_cli.training.phases import anchors_of, phase_of
from protoclip_cli.training.specs import TowerSpec

ALWAYS = {side: TowerSpec() for side in Modality}


def test_objectives_join_and_leave(specs):
    terms = specs(
        a={"kind": "info_nce", "last_episode": 2},
        b={"kind": "seed", "first_episode": 1, "queue": 4},
        c={"kind": "info_nce", "weight": 0},
    )
    assert [phase_of(e, terms, ALWAYS).objectives for e in range(5)] == [
        ("a",),
        ("a", "b"),
        ("a", "b"),
        ("b",),
        ("b",),
    ]


def test_both_ends_of_a_towers_time_are_inclusive(specs):
    terms = specs(a={"kind": "info_nce"})
    towers = {Modality.IMAGE: TowerSpec(last_episode=1), Modality.TEXT: TowerSpec(first_episode=1)}
    learning = [sorted(phase_of(e, terms, towers).learning) for e in range(3)]
    assert learning == [["image"], ["image", "text"], ["text"]]


def test_a_tower_that_nothing_needs_does_not_learn(specs):
    terms = specs(a={"kind": "seed", "student": "image", "teacher": "image", "queue": 4})
    phase = phase_of(0, terms, ALWAYS)
    assert phase.learning == {Modality.IMAGE}
    assert (phase.needs.image_views, phase.needs.text_views) == (1, 0)


PROTOTYPES = {"kind": "prototype_contrast", "student": "image", "source": "text"}


def test_every_episode_with_prototypes_has_its_own_rows_by_default(specs):
    terms = specs(a={"kind": "info_nce"}, b=PROTOTYPES | {"first_episode": 1, "last_episode": 4})
    assert anchors_of(6, terms, 1) == (0, 1, 2, 3, 4, 5)


def test_only_episodes_with_prototypes_share_a_clustering(specs):
    terms = specs(a={"kind": "info_nce"}, b=PROTOTYPES | {"first_episode": 1, "last_episode": 4})
    assert anchors_of(7, terms, 3) == (0, 1, 1, 1, 4, 5, 6)
    assert anchors_of(7, specs(a={"kind": "info_nce"}), 3) == tuple(range(7))


def test_a_tower_at_rest_is_frozen_unless_the_original_way_is_asked_for(specs):
    terms = specs(a={"kind": "info_nce"})
    text = {Modality.TEXT: TowerSpec()}
    frozen = {Modality.IMAGE: TowerSpec(last_episode=0), **text}
    as_original = {Modality.IMAGE: TowerSpec(last_episode=0, at_rest="zero_rate"), **text}
    assert phase_of(1, terms, frozen).learning == {Modality.TEXT}
    assert phase_of(1, terms, as_original).learning == {Modality.IMAGE, Modality.TEXT}
