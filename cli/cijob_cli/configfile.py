"""Writes the settings file. Called by config; settings reads it."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from cijob_cli.errors import BadSetting

_OURS_ONLY = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def write_config(path: Path, content: Mapping[str, str]) -> None:
    """Write the whole file, for its owner only: it may hold a token. Raises BadSetting."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    # A JSON text is a TOML text, as long as it is ASCII without DEL.
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in content.items()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(new, _OURS_ONLY, 0o600), "w") as file:
            file.writelines(lines)
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise BadSetting(f"{path}: {error.strerror}") from error
