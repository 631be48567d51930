"""Exported models on Hugging Face's hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from protoclip_cli.core.errors import ProtoclipError, UsageError


def check_hub(repo: str) -> None:
    """Refuse before any work is done what the hub would refuse after it.

    Raises:
        UsageError: no such name can be, or the hub is switched off.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise UsageError(
            f"--push {repo} is no name of a repository: {_line(error)}", hint="as in --push me/my-model"
        ) from None
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
        raise UsageError("HF_HUB_OFFLINE is set, and --push needs the hub", hint="unset it, or push later")


def push(folder: Path, repo: str, *, private: bool, api: Any = None) -> str:
    """Upload a folder.

    Args:
        folder: an exported model.
        repo: `owner/name`; made if there is none.
        private: whether a new one is seen by its owner only.
        api: a `huggingface_hub.HfApi`; None: the usual one, with the token of `hf auth login`.

    Returns:
        Where it is.

    Raises:
        ProtoclipError: the hub did not take it.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    api = HfApi() if api is None else api
    try:
        url = api.create_repo(repo, private=private, exist_ok=True, repo_type="model")
        api.upload_folder(
            repo_id=repo, folder_path=str(folder), commit_message="Upload a model exported by protoclip"
        )
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError) as error:
        raise ProtoclipError(
            f"the hub did not take {repo}: {_line(error)}",
            hint=f"the model is in {folder}; log in with `hf auth login` and try again with --force --push",
        ) from error
    return str(url)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
