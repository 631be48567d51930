"""Submission files against those that ELEVATER's toolkit merges."""

import json
import shutil
import zipfile

from protoclip_cli.evaluation.elevater_submission import merge, write_merged


def test_the_merged_file_is_the_toolkits(golden, tmp_path):
    for folder in golden("eval_submit_*"):
        expected = json.loads((folder / "expected_all_predictions.sorted.json_").read_text())
        assert merge(folder) == expected
        copy = tmp_path / folder.name
        shutil.copytree(folder, copy)
        with zipfile.ZipFile(write_merged(copy, complete=False)) as archive:
            assert archive.namelist() == ["all_predictions.json"]
            assert json.loads(archive.read("all_predictions.json")) == expected
        assert merge(copy) == expected, "the zip is not a prediction file"
