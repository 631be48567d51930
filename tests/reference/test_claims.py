"""No number of the original implementations lies around unread."""

from fnmatch import fnmatch

import pytest

CLAIMED = [
    "protoclip_infonce*",
    "protoclip_lr*",
    "protoclip_proto*",
    "protoclip_total*",
    "protoclip_head*",
    "protoclip_pbt*",
    "protoclip_kmeans*",
    "dist?_protoclip*",
    "openclip_clip*",
    "dist?_openclip_clip*",
    "itra_seed*",
    "cosine_lr*",
    "const_lr*",
    "cliprocket_cosine*",
    "paramgroups_protoclip*",
    "paramgroups_openclip*",
    "paramgroups_itra*",
    "itra_infonce*",
    "itra_unicl*",
    "itra_crossentropy*",
    "itra_simreg*",
    "itra_protorkd*",
    "itra_rkd*",
    "itra_compress*",
    "itra_dino*",
    "itra_dinohead*",
    "itra_protocpc*",
    "itra_vicreg*",
    "itra_barlow*",
    "openclip_siglip*",
    "openclip_coca*",
    "openclip_distill*",
    "openclip_genlip*",
    "rocket_clip*",
    "rocket_cl2l*",
    "rocket_barlip*",
    "rocket_siamlip*",
    "rocket_byolip*",
    "rocket_swalip*",
    "rocket_sinkhorn*",
    "rocket_head*",
    "dist?_itra*",
    "dist?_openclip_siglip*",
    "dist?_rocket*",
    "eval_retrieval*",
    "eval_sts*",
    "eval_ir*",
    "eval_triplet*",
    "eval_wordsim*",
    "eval_vqa*",
    "eval_submit*",
    "eval_zeroshot*",
    "eval_synonyms*",
    "eval_clipbench*",
    "eval_rocauc*",
    "eval_map*",
    "eval_knn*",
    "eval_clustering*",
    "eval_feature_stats*",
    "eval_linear_probe*",
    "eval_wiseft*",
    "eval_robustness*",
    "eval_fewshot*",
    "eval_sweep*",
]


def test_every_file_is_claimed_by_a_test(claims, entries):
    unclaimed = [
        name
        for name in entries
        if not any(fnmatch(name, pattern) and not fnmatch(name, without) for pattern, without in claims)
    ]
    assert unclaimed == []


@pytest.mark.parametrize("family", CLAIMED)
def test_every_finished_family_is_claimed_whether_or_not_its_files_are_here(claims, family):
    prefix = family.rstrip("*")
    assert any(pattern.startswith(prefix) for pattern, _ in claims)
