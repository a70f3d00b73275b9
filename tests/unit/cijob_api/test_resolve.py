"""Resolving: the job's word, then the template's, then the pool's, then the defaults."""

from typing import Any

import pytest

from cijob_api.fitting import Refusal
from cijob_api.objects import CIJob, CIJobTemplate
from cijob_api.reasons import Reason
from cijob_api.resolve import Resolved, resolve
from cijob_api.specs import CIPoolSpec

POOL = CIPoolSpec(max_concurrent=10)


def resolved(
    job: dict[str, Any], template: dict[str, Any] | None = None, **pool: Any
) -> Resolved | Refusal:
    """What a job means, with the image `i` if nobody names one."""
    if template is None:
        job = {"image": "i", **job}
    else:
        template = {"image": "i", **template}
    return resolve(
        CIJob.parse({"metadata": {"name": "job"}, "spec": job}),
        CIJobTemplate.parse({"metadata": {"name": "python", "generation": 7}, "spec": template})
        if template
        else None,
        CIPoolSpec.model_validate({"maxConcurrent": 10, **pool}),
    )


def accepted(
    job: dict[str, Any], template: dict[str, Any] | None = None, **pool: Any
) -> dict[str, Any]:
    """The same as plain data; fails if it was refused."""
    outcome = resolved(job, template, **pool)
    assert isinstance(outcome, Resolved), outcome
    return outcome.model_dump(mode="json", by_alias=True, exclude_none=True)


def refused(
    job: dict[str, Any], template: dict[str, Any] | None = None, **pool: Any
) -> tuple[Reason, str]:
    """Reason and words of the refusal; fails if there was none."""
    outcome = resolved(job, template, **pool)
    assert isinstance(outcome, Refusal), outcome
    return outcome.reason, outcome.message


def test_a_job_that_says_nothing_gets_every_default() -> None:
    assert accepted({}) == {
        "template": "",
        "image": "i",
        "args": [],
        "env": [],
        "secretEnv": [],
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"cpu": "1", "memory": "1Gi", "ephemeral-storage": "4Gi"},
        "imagePullSecrets": [],
        "prepare": "Parallel",
        "pool": "default",
        "nodeSelector": {},
        "tolerations": [],
        "serviceAccountName": "default",
        "priority": 0,
        "queueTimeoutSeconds": 86400,
        "startTimeoutSeconds": 600,
        "timeoutSeconds": 3600,
        "terminationGracePeriodSeconds": 30,
        "retry": {"limit": 0, "backoffSeconds": 10, "infrastructureLimit": 3},
        "artifacts": [],
        "ttl": {"succeeded": 86400, "failed": 604800},
    }


def test_the_template_is_named_with_its_generation() -> None:
    assert accepted({}, {})["template"] == "python/7"


# what the template says, what the job says, what comes out of it
MERGES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "the template fills what the job leaves out": (
        {"timeoutSeconds": 60, "priority": 5},
        {},
        {"timeoutSeconds": 60, "priority": 5},
    ),
    "the job wins": ({"timeoutSeconds": 60}, {"timeoutSeconds": 90}, {"timeoutSeconds": 90}),
    "a zero of the job is a word, too": ({"priority": 5}, {"priority": 0}, {"priority": 0}),
    "a script puts away the template's command and args": (
        {"command": ["make"], "args": ["test"]},
        {"script": "make lint"},
        {"command": None, "script": "make lint", "args": []},
    ),
    "a command puts away the template's script": (
        {"script": "make"},
        {"command": ["cmake"]},
        {"command": ["cmake"], "script": None},
    ),
    "an archive puts away the template's git": (
        {"script": "make", "source": {"git": {"url": "https://git.example.com/a.git"}}},
        {"source": {"archive": {"sha256": "0" * 64, "sizeBytes": 1}}},
        {"source": {"archive": {"sha256": "0" * 64, "sizeBytes": 1}}},
    ),
    "env is merged by name, in the template's order": (
        {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
        {"env": [{"name": "C", "value": "3"}, {"name": "A", "value": "4"}]},
        {
            "env": [
                {"name": "A", "value": "4"},
                {"name": "B", "value": "2"},
                {"name": "C", "value": "3"},
            ]
        },
    ),
    "a variable is replaced whole": (
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
        {"env": [{"name": "A", "value": "1"}]},
        {"env": [{"name": "A", "value": "1"}]},
    ),
    "artifacts are merged by name": (
        {"script": "make", "artifacts": [{"name": "a", "path": "a"}]},
        {"artifacts": [{"name": "b", "path": "b"}]},
        {"artifacts": [{"name": "a", "path": "a"}, {"name": "b", "path": "b"}]},
    ),
    "other lists replace": (
        {"secretEnv": [{"secretName": "a"}], "imagePullSecrets": [{"name": "a"}]},
        {"secretEnv": [{"secretName": "b"}]},
        {"secretEnv": [{"secretName": "b"}], "imagePullSecrets": [{"name": "a"}]},
    ),
    "a retry limit leaves 'never start twice' alone": (
        {"retry": {"infrastructureLimit": 0}},
        {"retry": {"limit": 2}},
        {"retry": {"limit": 2, "backoffSeconds": 10, "infrastructureLimit": 0}},
    ),
    "each outcome has its own ttl": (
        {"ttlSecondsAfterFinished": {"failed": 60}},
        {"ttlSecondsAfterFinished": {"succeeded": 5}},
        {"ttl": {"succeeded": 5, "failed": 60}},
    ),
}


@pytest.mark.parametrize(("template", "job", "expected"), MERGES.values(), ids=MERGES)
def test_a_job_over_its_template(
    template: dict[str, Any], job: dict[str, Any], expected: dict[str, Any]
) -> None:
    outcome = accepted(job, template)
    assert {name: outcome.get(name) for name in expected} == expected


# the template's memory, the job's memory, (request, limit) that come out of it
MEMORY: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, str]]] = {
    "a request above the default limit raises it": ({}, {"requests": "2Gi"}, ("2Gi", "2Gi")),
    "a limit below the default request lowers it": ({}, {"limits": "128Mi"}, ("128Mi", "128Mi")),
    "equal quantities in other units are left alone": (
        {},
        {"requests": "1024Mi", "limits": "1Gi"},
        ("1024Mi", "1Gi"),
    ),
    "a template's limit stays beside the job's request": (
        {"limits": "4Gi"},
        {"requests": "2Gi"},
        ("2Gi", "4Gi"),
    ),
    "a job's request raises its template's limit": (
        {"limits": "1Gi"},
        {"requests": "2Gi"},
        ("2Gi", "2Gi"),
    ),
    "a job's limit lowers its template's request": (
        {"requests": "2Gi"},
        {"limits": "512Mi"},
        ("512Mi", "512Mi"),
    ),
}


@pytest.mark.parametrize(("template", "job", "expected"), MEMORY.values(), ids=MEMORY)
def test_no_request_comes_out_above_its_limit(
    template: dict[str, str], job: dict[str, str], expected: tuple[str, str]
) -> None:
    def resources(said: dict[str, str]) -> dict[str, Any]:
        return {"resources": {kind: {"memory": amount} for kind, amount in said.items()}}

    outcome = accepted(resources(job), resources(template))
    assert (outcome["requests"]["memory"], outcome["limits"]["memory"]) == expected


# what the job says, what the pool allows, the word that the refusal must name
FORBIDDEN: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "node selector": ({"nodeSelector": {"disk": "ssd"}}, {"tolerations": True}, "nodeSelector"),
    "toleration": ({"tolerations": [{"key": "ci"}]}, {"nodeSelector": True}, "tolerations"),
    "runtime class": (
        {"runtimeClassName": "kata"},
        {"runtimeClassNames": ["gvisor"]},
        "runtimeClassName kata",
    ),
    "service account": (
        {"serviceAccountName": "admin"},
        {"serviceAccountNames": ["deployer"]},
        "serviceAccountName admin",
    ),
}


@pytest.mark.parametrize(("job", "allow", "words"), FORBIDDEN.values(), ids=FORBIDDEN)
def test_what_the_pool_does_not_allow_is_refused(
    job: dict[str, Any], allow: dict[str, Any], words: str
) -> None:
    for own, template in ((job, None), ({}, job)):
        reason, message = refused(own, template, allow=allow)
        assert reason is Reason.ADMISSION_DENIED
        assert words in message


def test_what_the_pool_allows_is_taken() -> None:
    job = {
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "ci"}],
        "runtimeClassName": "gvisor",
        "serviceAccountName": "deployer",
    }
    allow = {
        "nodeSelector": True,
        "tolerations": True,
        "runtimeClassNames": ["gvisor"],
        "serviceAccountNames": ["deployer"],
    }
    assert job.items() <= accepted(job, allow=allow).items()


def test_the_default_service_account_needs_nobodys_leave() -> None:
    assert accepted({"serviceAccountName": "default"})["serviceAccountName"] == "default"


def test_the_pools_own_placement_needs_no_leave() -> None:
    pool: dict[str, Any] = {
        "nodeSelector": {"size": "large"},
        "tolerations": [{"key": "large"}],
        "runtimeClassName": "gvisor",
    }
    assert pool.items() <= accepted({}, **pool).items()


def test_a_job_cannot_leave_its_pools_nodes() -> None:
    job = {"nodeSelector": {"size": "small", "disk": "ssd"}}
    outcome = accepted(job, nodeSelector={"size": "large"}, allow={"nodeSelector": True})
    assert outcome["nodeSelector"] == {"size": "large", "disk": "ssd"}


SOURCE = {"archive": {"sha256": "0" * 64, "sizeBytes": 1}}
# what needs a command, and the same with one, or in a way that needs none
NEEDS_COMMAND: dict[str, tuple[dict[str, Any], bool]] = {
    "source": ({"source": SOURCE}, True),
    "artifacts": ({"artifacts": [{"name": "a", "path": "a"}]}, True),
    "reports": ({"reports": {"junit": ["*.xml"]}}, True),
    "source before the job": ({"source": SOURCE, "prepare": "Init"}, False),
    "reports without globs": ({"reports": {}}, False),
}


@pytest.mark.parametrize(("job", "needed"), NEEDS_COMMAND.values(), ids=NEEDS_COMMAND)
def test_what_needs_a_command(job: dict[str, Any], needed: bool) -> None:  # noqa: FBT001
    outcome = resolved(job)
    assert (isinstance(outcome, Refusal) and outcome.reason is Reason.COMMAND_MISSING) == needed
    assert accepted({**job, "command": ["make"]})
    assert accepted(job, {"script": "make"})


@pytest.mark.parametrize("wanted", ["artifacts", "reports"])
@pytest.mark.parametrize("command", [{}, {"command": ["make"]}])
def test_nobody_keeps_results_of_a_command_that_runs_alone(
    wanted: str, command: dict[str, Any]
) -> None:
    job, _ = NEEDS_COMMAND[wanted]
    outcome = resolved({**job, **command, "source": SOURCE, "prepare": "Init"})
    assert isinstance(outcome, Refusal)
    assert accepted({**job, "command": ["make"], "source": SOURCE}) is not None


def test_reports_that_only_the_template_wants_do_not_stand_in_the_way_of_init() -> None:
    template = {"script": "make", "reports": {"junit": ["r.xml"]}}
    assert "reports" not in accepted({"source": SOURCE, "prepare": "Init"}, template)
    assert "reports" in accepted({"source": SOURCE}, template)


def test_what_cannot_be_run_is_said_before_what_does_not_fit_and_that_before_the_policy() -> None:
    odd = {"pool": "large", "serviceAccountName": "admin"}
    assert refused({**odd, "source": SOURCE})[0] is Reason.COMMAND_MISSING
    assert refused(odd)[0] is Reason.NO_FITTING_POOL
    assert refused({"serviceAccountName": "admin"})[0] is Reason.ADMISSION_DENIED


def test_an_architecture_needs_no_leave_and_beats_the_jobs_own_selector() -> None:
    label = "kubernetes.io/arch"
    assert accepted({"architecture": "x86_64"})["nodeSelector"] == {label: "amd64"}
    job = {"nodeSelector": {label: "arm64"}}
    allow = {"nodeSelector": True}
    outcome = accepted(job, architecture="amd64", allow=allow)
    assert outcome["nodeSelector"] == {label: "amd64"}


def test_arguments_alone_go_to_the_templates_command() -> None:
    outcome = accepted({"args": ["b"]}, {"command": ["make"], "args": ["a"]})
    assert (outcome["command"], outcome["args"]) == (["make"], ["b"])


def test_a_job_without_an_image_is_refused_in_words() -> None:
    job = CIJob.parse({"metadata": {"name": "job"}, "spec": {}})
    outcome = resolve(job, None, POOL)
    assert isinstance(outcome, Refusal)
    assert "image" in outcome.message


def test_an_agent_runs_only_where_there_is_something_to_carry() -> None:
    for job, needs in (({}, False), ({"source": SOURCE}, True), ({"reports": {}}, False)):
        outcome = resolved({"script": "make", **job})
        assert isinstance(outcome, Resolved)
        assert outcome.needs_agent == needs
