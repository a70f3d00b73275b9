"""What this process knows: never older than it was, and no more than is needed."""

from datetime import datetime
from typing import Any

import pytest

from cijob_api.statuses import LogResult, Results, SourceResult
from cijob_operator.cache import Cache
from unit.cijob_operator.builders import IMAGE, NOON, after

KEY = ("team", "tests")
POD_KEY = ("team", "tests-1")


def job_body(version: int = 1, uid: str = "job-uid", **parts: Any) -> dict[str, Any]:
    metadata = {"name": "tests", "namespace": "team", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"image": IMAGE}, **parts}


def pod_body(
    version: int = 1, uid: str = "pod-uid", owner: str = "job-uid", attempt: int = 1
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"tests-{attempt}",
            "namespace": "team",
            "uid": uid,
            "resourceVersion": str(version),
            "creationTimestamp": "2026-01-01T12:00:00Z",
            "labels": {"cijob.dev/job": "tests", "cijob.dev/attempt": str(attempt)},
            "ownerReferences": [{"kind": "CIJob", "uid": owner}],
        }
    }


MALFORMED = {"spec": {"image": ""}}


@pytest.fixture
def cache() -> Cache:
    return Cache()


# -- jobs -------------------------------------------------------------------------------------


def test_a_job_is_known_by_its_key(cache: Cache) -> None:
    assert cache.put_job(job_body()) == KEY
    assert cache.jobs[KEY].metadata.uid == "job-uid"


def test_an_older_job_never_replaces_a_newer_one(cache: Cache) -> None:
    cache.put_job(job_body(10, status={"phase": "Running"}))
    cache.put_job(job_body(9, status={"phase": "Queued"}))
    assert cache.jobs[KEY].status.phase == "Running"


def test_versions_are_numbers_not_texts(cache: Cache) -> None:
    cache.put_job(job_body(9))
    cache.put_job(job_body(10, status={"phase": "Running"}))
    assert cache.jobs[KEY].status.phase == "Running"


def test_a_job_that_is_gone_is_not_known(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.drop_job(KEY, "job-uid")
    assert cache.jobs == {}


def test_a_late_deletion_of_an_earlier_job_does_not_touch_the_new_one(cache: Cache) -> None:
    cache.put_job(job_body(1))
    cache.drop_pod(pod_body(2))
    cache.put_job(job_body(3, uid="another"))
    cache.drop_job(KEY, "job-uid")
    assert cache.jobs[KEY].metadata.uid == "another"
    assert cache.pods == {}


def test_the_answer_to_our_write_does_not_bring_a_deleted_job_back(cache: Cache) -> None:
    cache.put_job(job_body(1))
    cache.drop_job(KEY, "job-uid")
    cache.put_answer(job_body(2))
    assert cache.jobs == {}


def test_the_answer_to_our_write_is_known_before_the_watch_shows_it(cache: Cache) -> None:
    cache.put_job(job_body(1))
    cache.put_answer(job_body(2, status={"phase": "Running"}))
    assert cache.jobs[KEY].status.phase == "Running"


def test_a_finished_job_is_kept_small(cache: Cache) -> None:
    status = {
        "phase": "Failed",
        "reason": "CommandFailed",
        "message": "exit code 1",
        "completionTime": "2026-01-01T12:00:00Z",
        "attempts": [{"number": 1}],
        "results": {"logs": {"lines": 7}},
    }
    body = job_body(status=status)
    body["spec"] |= {
        "script": "x" * 1000,
        "ttlSecondsAfterFinished": {"failed": 60},
        "templateRef": {"name": "python"},
    }
    body["metadata"]["annotations"] = {"a": "b"}
    cache.put_job(body)
    small = cache.jobs[KEY]
    assert (small.spec.script, small.spec.image, small.metadata.annotations) == (None, None, {})
    assert (small.status.attempts, small.status.message) == (None, None)
    # Only that its log is kept: its Pods may go.
    assert small.status.results == Results(logs=LogResult())
    assert small.status.phase.is_final
    assert small.status.reason == "CommandFailed"
    assert small.status.completion_time == "2026-01-01T12:00:00Z"
    assert small.spec.ttl_seconds_after_finished
    assert small.spec.template_ref
    assert small.metadata.resource_version == "1"


def test_of_a_finished_job_it_is_known_that_its_source_is(cache: Cache) -> None:
    status = {"phase": "Succeeded", "results": {"source": {"commit": "c0ffee"}}}
    cache.put_job(job_body(status=status))
    assert cache.jobs[KEY].status.results == Results(source=SourceResult())


# -- malformed jobs ---------------------------------------------------------------------------


def test_a_malformed_job_is_known_as_such_and_disturbs_nobody(cache: Cache) -> None:
    cache.put_job(job_body(1))
    cache.put_job(job_body(2) | MALFORMED)
    assert cache.jobs == {}
    assert cache.broken[KEY].words.startswith("spec.image: ")
    assert not cache.broken[KEY].finished


def test_a_malformed_job_that_was_marked_is_finished(cache: Cache) -> None:
    cache.put_job(job_body(2, status={"phase": "Error"}) | MALFORMED)
    assert cache.broken[KEY].finished


@pytest.mark.parametrize(
    ("said", "ended"),
    [("2026-01-01T12:00:00Z", NOON), ("yesterday", None), (7, None), (None, None)],
)
def test_when_a_malformed_job_ended_is_kept_if_it_can_be_read(
    cache: Cache, said: object, ended: datetime | None
) -> None:
    status = {"phase": "Error", "completionTime": said}
    cache.put_job(job_body(1, status=status) | MALFORMED)
    assert cache.broken[KEY].ended == ended


def test_a_mended_job_is_a_job(cache: Cache) -> None:
    cache.put_job(job_body(1) | MALFORMED)
    cache.put_job(job_body(2))
    assert KEY in cache.jobs
    assert cache.broken == {}


def test_an_older_good_version_never_replaces_a_newer_malformed_one(cache: Cache) -> None:
    cache.put_job(job_body(2) | MALFORMED)
    cache.put_job(job_body(1))
    assert KEY in cache.broken


def test_a_malformed_job_goes_like_any_other(cache: Cache) -> None:
    cache.put_job(job_body(1) | MALFORMED)
    cache.drop_job(KEY, "job-uid")
    assert cache.broken == {}


# -- Pods -------------------------------------------------------------------------------------


def test_a_pod_gives_the_key_of_its_job(cache: Cache) -> None:
    assert cache.put_pod(pod_body()) == KEY


def test_the_pods_of_a_job_come_by_attempt(cache: Cache) -> None:
    cache.put_pod(pod_body(attempt=10))
    cache.put_pod(pod_body(attempt=9))
    assert [pod.attempt for pod in cache.pods_of(KEY, "job-uid")] == [9, 10]


def test_a_pod_of_an_earlier_job_of_that_name_is_not_its_own(cache: Cache) -> None:
    cache.put_pod(pod_body(owner="earlier"))
    assert cache.pods_of(KEY, "job-uid") == ()


def test_an_older_pod_never_replaces_a_newer_one(cache: Cache) -> None:
    cache.put_pod(pod_body(10))
    cache.put_pod(pod_body(9))
    assert cache.pods[POD_KEY].version == 10


def test_a_deleted_pod_is_remembered_until_its_attempt_is_closed(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.put_pod(pod_body(1))
    cache.drop_pod(pod_body(2))
    assert [pod.gone for pod in cache.pods_of(KEY, "job-uid")] == [True]
    cache.forget_pod(POD_KEY)
    assert cache.pods_of(KEY, "job-uid") == ()


def test_a_deleted_pod_does_not_come_back(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.drop_pod(pod_body(2))
    cache.put_pod(pod_body(1))
    cache.put_pod(pod_body(3))
    assert cache.pods[POD_KEY].gone


def test_another_pod_of_that_name_is_another(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.drop_pod(pod_body(2))
    cache.put_pod(pod_body(3, uid="another"))
    assert not cache.pods[POD_KEY].gone


def test_a_late_deletion_of_an_earlier_pod_does_not_touch_the_new_one(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.put_pod(pod_body(3, uid="another"))
    cache.drop_pod(pod_body(2))
    assert not cache.pods[POD_KEY].gone


def test_a_deleted_pod_whose_job_is_gone_is_forgotten(cache: Cache) -> None:
    cache.put_pod(pod_body(1))
    cache.drop_pod(pod_body(2))
    assert cache.pods == {}
    assert cache.pods_of(KEY, "job-uid") == ()


def test_a_pod_that_the_api_server_has_no_more_is_gone(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.put_pod(pod_body(1))
    assert cache.lose_pod(cache.pods[POD_KEY])
    assert cache.pods[POD_KEY].gone


def test_its_watch_has_a_moment_to_tell_how_it_ended(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.put_pod(pod_body(1))
    seen = cache.pods[POD_KEY]
    assert not cache.lose_pod(seen, NOON)
    assert not cache.lose_pod(seen, after(1.9))
    assert not cache.pods[POD_KEY].gone
    assert cache.lose_pod(seen, after(2))
    assert cache.pods[POD_KEY].gone


def test_another_pod_of_the_name_of_one_that_is_lost_stays(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.put_pod(pod_body(1))
    lost = cache.pods[POD_KEY]
    cache.put_pod(pod_body(2, uid="another"))
    assert cache.lose_pod(lost)
    assert not cache.pods[POD_KEY].gone


def test_a_job_that_goes_takes_its_deleted_pods_along(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.drop_pod(pod_body(2))
    cache.put_pod(pod_body(2, uid="two", attempt=2))
    cache.drop_job(KEY, "job-uid")
    assert [pod.attempt for pod in cache.pods.values()] == [2]


def test_forgetting_a_pod_twice_is_no_mistake(cache: Cache) -> None:
    cache.forget_pod(POD_KEY)


# -- while lists are read -----------------------------------------------------------------------


def test_what_goes_while_lists_are_read_is_known_to_have_gone(cache: Cache) -> None:
    cache.put_job(job_body())
    with cache.listing():
        assert not cache.went_meanwhile(job_body())
        cache.drop_job(KEY, "job-uid")
        cache.drop_pod(pod_body())
        assert cache.went_meanwhile(job_body())
        assert cache.went_meanwhile(pod_body())
        assert not cache.went_meanwhile(job_body(uid="another"))
    assert not cache.went_meanwhile(job_body())


# -- orphans ----------------------------------------------------------------------------------


def orphans(cache: Cache) -> list[str]:
    return [pod.name for pod in cache.orphans()]


def test_a_pod_whose_job_is_there_is_no_orphan(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.put_pod(pod_body())
    assert orphans(cache) == []


def test_a_pod_whose_job_is_gone_is_an_orphan(cache: Cache) -> None:
    cache.put_pod(pod_body())
    assert orphans(cache) == ["tests-1"]


def test_a_pod_of_an_earlier_job_of_that_name_is_an_orphan(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.put_pod(pod_body(owner="earlier"))
    assert orphans(cache) == ["tests-1"]


def test_a_pod_of_a_malformed_job_is_no_orphan(cache: Cache) -> None:
    cache.put_job(job_body() | MALFORMED)
    cache.put_pod(pod_body())
    assert orphans(cache) == []


def test_a_deleted_pod_is_no_orphan(cache: Cache) -> None:
    cache.put_job(job_body())
    cache.drop_pod(pod_body())
    cache.jobs.clear()
    assert orphans(cache) == []


# -- templates --------------------------------------------------------------------------------


def template_body(namespace: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "python", "namespace": namespace}, "spec": spec}


def test_a_template_is_looked_up_at_home_first(cache: Cache) -> None:
    body = job_body()
    body["spec"]["templateRef"] = {"name": "python"}
    cache.put_job(body)
    assert cache.template_of(cache.jobs[KEY], "system") is None
    cache.put_template(template_body("system"))
    found = cache.template_of(cache.jobs[KEY], "system")
    assert found
    assert found.key == ("system", "python")
    cache.put_template(template_body("team"))
    found = cache.template_of(cache.jobs[KEY], "system")
    assert found
    assert found.key == ("team", "python")


def test_a_job_that_names_no_template_has_none(cache: Cache) -> None:
    cache.put_job(job_body())
    assert cache.template_of(cache.jobs[KEY], "system") is None


def test_a_malformed_template_is_as_good_as_missing(cache: Cache) -> None:
    assert cache.put_template(template_body("team", image="")) is None
    assert cache.templates == {}


def test_a_template_that_became_malformed_is_as_good_as_missing(cache: Cache) -> None:
    cache.put_template(template_body("team"))
    cache.put_template(template_body("team", image=""))
    assert cache.templates == {}


# -- pools ------------------------------------------------------------------------------------


def pool_body(version: int = 1, places: int = 1, **status: Any) -> dict[str, Any]:
    metadata = {"name": "arm", "uid": "pool-uid", "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"maxConcurrent": places}, "status": status}


def test_a_pool_that_offers_something_else_is_news(cache: Cache) -> None:
    assert cache.put_pool(pool_body(1))
    assert not cache.put_pool(pool_body(2, running=1))
    assert cache.put_pool(pool_body(3, places=2))
    assert cache.pools["arm"].spec.max_concurrent == 2


def test_an_older_pool_never_replaces_a_newer_one(cache: Cache) -> None:
    cache.put_pool(pool_body(10, places=2))
    assert not cache.put_pool(pool_body(9))
    assert cache.pools["arm"].spec.max_concurrent == 2


def test_a_malformed_pool_is_as_good_as_missing(cache: Cache) -> None:
    cache.put_pool(pool_body(1))
    assert cache.put_pool(pool_body(2, places=-1))
    assert cache.pools == {}


def test_unfinished_jobs_without_a_pod_may_fit_another_pool(cache: Cache) -> None:
    cache.put_job(job_body())
    assert list(cache.unplaced()) == [KEY]
    cache.put_pod(pod_body())
    assert list(cache.unplaced()) == []
    cache.put_pod({**pod_body(2), "status": {"phase": "Failed"}})  # it waits for its next attempt
    assert list(cache.unplaced()) == [KEY]


def test_a_pull_belongs_to_its_pod_whichever_is_heard_of_first(cache: Cache) -> None:
    message = 'Successfully pulled image "a" in 1s (2.5s including waiting)'
    about = {"uid": "pod-uid", "fieldPath": "spec.containers{job}"}
    cache.put_job(job_body())
    cache.put_pod(pod_body())
    assert [pod.pulled for pod in cache.pods_of(KEY, "job-uid")] == [0]
    cache.pulls.take({"involvedObject": about, "message": message})
    assert [pod.pulled for pod in cache.pods_of(KEY, "job-uid")] == [2.5]
    cache.put_pod(pod_body(2))
    assert [pod.pulled for pod in cache.pods_of(KEY, "job-uid")] == [2.5]
