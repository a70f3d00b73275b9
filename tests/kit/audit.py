"""What the API server wrote down of every request: its audit log, through all of its files.

At 100 MB the next one is begun, and the one before gets the time into its name.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit.cluster import Cluster

BEGAN = time.time()


def events(cluster: Cluster, namespace: str) -> Iterator[dict[str, Any]]:
    """Everything that was asked about the objects of a namespace of this test run, in order."""
    log = Path(cluster.kind("get", "audit-log").strip())
    for file in sorted(log.parent.glob("audit*.log")):
        if file.stat().st_mtime < BEGAN:
            continue
        with file.open() as lines:
            for line in lines:
                if namespace not in line:
                    continue
                event: dict[str, Any] = json.loads(line)
                if (event.get("objectRef") or {}).get("namespace") == namespace:
                    yield event
