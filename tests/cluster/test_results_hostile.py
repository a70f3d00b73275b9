"""Reports made to hurt, beside an artifact and a report that are wanted: these arrive.

The installed chart, a real agent, the real `ci`. What one reading may cost is in the unit tests.
"""

import json

from cluster.test_results import downloaded, finished, submit
from kit.installed import Installed

# Each alone took the gateway from seconds to hours: cases without end, over all reports; elements
# that are no cases; a name for each; one tag; empty lines that a place is looked for behind.
REPORTS = """
import os
os.makedirs("reports/" + "/".join(["p" * 200] * 6))
os.makedirs("dist")
def report(name, body):
    with open(f"reports/{name}.xml", "w") as file:
        file.write(f"<testsuite>{body}</testsuite>")
wanted = "<testcase name='wanted'><failure message='m'/></testcase>"
report("/".join(["p" * 200] * 6) + "/a", wanted)
report("q0", "<testcase><error>" + "\\n" * 7900 + "words</error></testcase>")
report("q1", "<a" + " ".join(f" a{n}=''" for n in range(200_000)) + "/>")
report("q2", "".join(f"<a{n}/>" for n in range(200_000)))
for n in range(5):
    report(f"r{n}", "<testcase><error/></testcase>" * 60_000)
open("dist/a.whl", "w").write("wheel")
for n in range(30):
    os.symlink("/outside", f"dist/l{n}")
"""


def restarts(installed: Installed) -> list[str]:
    """How often each gateway's container was started again."""
    wanted = "-l=app.kubernetes.io/component=gateway"
    path = "jsonpath={.items[*].status.containerStatuses[*].restartCount}"
    return installed.cluster.kubectl(
        "get", "pods", "-n", installed.system, wanted, "-o", path
    ).stdout.split()


def test_reports_that_are_made_to_hurt_cost_nobody_the_others(installed: Installed) -> None:
    before = restarts(installed)
    artifacts = [{"name": "dist", "path": "dist"}, {"name": "none", "path": "none"}]
    said = {"artifacts": artifacts, "reports": {"junit": ["reports/**/*.xml"]}}
    name = submit(installed, "hurts", command=["python3", "-c", REPORTS], **said)
    status = finished(installed, name, 180)
    assert (status["reason"], status["exitCode"]) == ("Completed", 0)
    results = status["results"]
    assert (results["tests"]["total"], results["tests"]["failed"]) == (200_000, 1)
    assert results["tests"]["firstFailures"][0] == {"name": "wanted", "message": "m"}
    assert results["collection"]["state"] == "Partial"
    everything = json.loads(installed.ci("artifacts", "list", name, "-o", "json").stdout)
    for words in (
        "none: there is no 'none'",
        "q1.xml: it has a tag or a comment of more than 1024 KiB",
        "q2.xml: it has more than 1000 names",
        "r3.xml: only its first",
        "r4.xml and those behind it were not read",
    ):
        assert words in everything["message"]
    assert len(everything["reports"]) == 9
    assert "…" in everything["reports"][0]["path"]
    assert list(downloaded(installed, name)) == ["dist.tar.gz"]
    assert restarts(installed) == before
