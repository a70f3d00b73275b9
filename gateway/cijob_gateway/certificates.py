"""Keeps the certificate that the listeners show the one that is mounted. Called by main.

A Secret that was renewed (by cert-manager, say) comes into the Pod by itself within a minute or so;
a listener that had read it once would show the old one until it has run out.
"""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from pathlib import Path

logger = logging.getLogger(__name__)
LOOK_SECONDS = 60.0


async def keep_fresh(
    contexts: Sequence[ssl.SSLContext], files: tuple[str, str], *, seconds: float = LOOK_SECONDS
) -> None:
    """For ever: look at certificate and key, and when they are others, show those from now on.

    Connections that are open stay. A pair that cannot be used is left, with a warning, and looked
    at again: the one before goes on being shown.
    """
    shown = _state(files)
    while True:
        await asyncio.sleep(seconds)
        found = _state(files)
        if found == shown:
            continue
        try:
            # Apart at first: what fails halfway leaves a context with a certificate and no key.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*files)
            for context in contexts:
                context.load_cert_chain(*files)
        except OSError as error:  # ssl.SSLError is one
            logger.warning("the renewed certificate cannot be used: %s", error)
            continue
        shown = found
        logger.info("the renewed certificate is shown from now on")


def _state(files: tuple[str, str]) -> list[tuple[int, int, int]]:
    """What tells files from those before them; nothing while one is missing."""
    try:
        found = [Path(file).stat() for file in files]
    except OSError:
        return []
    return [(file.st_ino, file.st_mtime_ns, file.st_size) for file in found]
