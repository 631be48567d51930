import json
import sys

import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.models.saved import load_model


@pytest.mark.parametrize("part", ["heads", "builder"])
def test_a_checkpoint_cannot_run_a_file_that_lies_beside_it(part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside.py").write_text("raise AssertionError('ran')\n")
    content = {"version": 1, "builder": "open_clip", "heads": {}}
    kind = "beside:Spec"
    content |= {"builder": kind} if part == "builder" else {"heads": {"proto": {"kind": kind}}}
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(DataError) as error:
        load_model(tmp_path)
    assert str(error.value) == f"{tmp_path}/model.json: there is no module 'beside'; PYTHONPATH must hold it"
    assert "beside" not in sys.modules
