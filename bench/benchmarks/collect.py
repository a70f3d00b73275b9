"""`collect`, side by side: the same job with JUnit reports and without, by the installed chart.

All have the same source, as jobs with tests have. The time is that from the CIJob's creation until
`kubectl wait` sees it finished. They alternate in random order with random gaps, as in `echo`: the
kubelet looks at its containers once a second.
"""

import json
import random
import secrets
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.figures import Figure, Result, spread
from kit.cluster import ROOT, Cluster
from kit.installed import Installed, installation
from kit.operator import job

EXAMPLE = ROOT / "examples" / "passing"
GAP_SECONDS = (0.3, 1.3)
LATER_MS = 300
CASES = 200
SCRIPT = f"""
{{ echo '<testsuite name="bench">'
i=0
while [ $i -lt {CASES} ]; do
    echo "<testcase classname='bench.module' name='test_$i' time='0.01'/>"; i=$((i+1))
done
echo '</testsuite>'; }} > junit.xml
"""
KINDS: dict[str, dict[str, Any]] = {
    "without": {},
    "with reports": {"reports": {"junit": ["*.xml"]}},
    "with reports and an artifact": {
        "reports": {"junit": ["*.xml"]},
        "artifacts": [{"name": "all", "path": "."}],
    },
}


def run(kubeconfig: Path, rounds: int) -> Result:
    """Install the chart, measure `rounds` of each, uninstall."""
    cluster = Cluster("cijob", kubeconfig, ROOT / ".local" / "bin" / "kubectl", "local")
    took: dict[str, list[float]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory(prefix="cijob-bench-") as folder,
        installation(cluster, Path(folder)) as installed,
    ):
        source = uploaded(installed)
        for _ in range(rounds):
            for kind in random.sample(list(KINDS), len(KINDS)):
                time.sleep(random.uniform(*GAP_SECONDS))  # noqa: S311
                took[kind].append(finished(installed, source, KINDS[kind]))
    figures = [figure for kind in KINDS for figure in spread(kind, took[kind])]
    later = (median(took["with reports"]) - median(took["without"])) * 1000
    figures.append(Figure("later by reports, median", later, "ms", LATER_MS))
    return Result("collect", f"{rounds} of each, interleaved", tuple(figures))


def uploaded(installed: Installed) -> dict[str, Any]:
    """The source of a job that `ci` has just run on the example."""
    began = installed.ci("run", "--", "true", cwd=EXAMPLE)
    name = installed.ci("list", "-o", "name").stdout.split()[0]
    assert began.returncode == 0, began.stderr  # noqa: S101
    source: dict[str, Any] = installed.job(name)["spec"]["source"]
    return source


def finished(installed: Installed, source: dict[str, Any], spec: dict[str, Any]) -> float:
    """Seconds from a job's creation until it is seen to be finished."""
    name, where = f"bench-{secrets.token_hex(4)}", ("-n", installed.namespace)
    manifest = json.dumps(job(name, script=SCRIPT, source=source, **spec))
    began = perf_counter()
    installed.cluster.kubectl("create", *where, "-f", "-", stdin=manifest)
    installed.cluster.wait(installed.namespace, f"cij/{name}", "condition=Finished")
    seconds = perf_counter() - began
    results = installed.job(name)["status"].get("results") or {}
    complete = (results.get("collection") or {}).get("state") == "Complete"
    assert complete == bool(spec), results  # noqa: S101
    return seconds
