from protoclip_cli.core.types import Modality
from protoclip_cli.training.phases import phase_of
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
