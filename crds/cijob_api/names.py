"""Names that all parts agree on: group, labels, annotations, field managers, jobs and Pods.

Used by every part. Pure: a ULID is made from the time and the random bytes that it is given.
"""

import re

GROUP = "cijob.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

LABEL_JOB = "cijob.dev/job"
LABEL_ATTEMPT = "cijob.dev/attempt"
LABEL_TEMPLATE = "cijob.dev/template"
# Kueue's own (kueue.sigs.k8s.io): the queue that the Pods of a job with this label wait in.
LABEL_KUEUE = "kueue.x-k8s.io/queue-name"
ANNOTATION_SUBMITTER = "cijob.dev/submitter"
ANNOTATION_TEMPLATE_GENERATION = "cijob.dev/template-generation"
# What this attempt was promised, in seconds: its template may change or go while it runs.
ANNOTATION_START_TIMEOUT = "cijob.dev/start-timeout-seconds"
ANNOTATION_TIMEOUT = "cijob.dev/timeout-seconds"
# Whose place this attempt holds: counted from the Pods after a restart.
ANNOTATION_POOL = "cijob.dev/pool"
ANNOTATION_GROUP = "cijob.dev/concurrency-group"
ANNOTATION_SUPERSEDES = "cijob.dev/supersedes"
# Whether the wrapper runs a `command`, whose exit codes 126 and 127 mean that it cannot start.
ANNOTATION_WRAPPED_COMMAND = "cijob.dev/wrapped-command"
# Whether the agent collects artifacts or reports at the end.
ANNOTATION_COLLECTS = "cijob.dev/collects"
# Written by the same patch that lowers a Pod's deadline: why we stopped it.
ANNOTATION_STOP = "cijob.dev/stop-reason"
# Written by the gateway: the request that made a job, which job it repeats, how many failed tests
# of that one if not all of it, and that its Secret is still to come.
ANNOTATION_IDEMPOTENCY = "cijob.dev/idempotency"
ANNOTATION_RETRY_OF = "cijob.dev/retry-of"
ANNOTATION_RETRY_TESTS = "cijob.dev/retry-tests"
ANNOTATION_AWAITS_SECRET = "cijob.dev/awaits-secret"  # noqa: S105

MANAGER_OPERATOR = "cijob-operator"
MANAGER_GATEWAY = "cijob-gateway"
MANAGER_ARCHIVER = "cijob-archiver"

# Tells a script which tests to run: node ids of pytest, one a line.
ENV_TESTS = "CIJOB_TESTS"

# Secrets of this prefix belong to jobs; a job may name only its own.
SECRET_PREFIX = "cijob-"  # noqa: S105
# A Pod is named after its job and attempt, and labels end at 63 characters.
JOB_NAME_LENGTH = 52
TEMPLATE_PART_LENGTH = 25

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def pod_name(job: str, attempt: int) -> str:
    """The name of an attempt's Pod: one attempt can never have two Pods at a time."""
    return f"{job}-{attempt}"


def ulid(milliseconds: int, randomness: bytes) -> str:
    """A ULID in lower case: 26 characters that sort by time.

    `milliseconds` since 1970, below 2**48; `randomness` is 10 bytes. Raises ValueError for others.
    The encoding is described at github.com/ulid/spec.
    """
    if len(randomness) != 10 or not 0 <= milliseconds < 2**48:
        raise ValueError("a ULID is made of 48 bits of time and 80 bits of randomness")
    number = (milliseconds << 80) | int.from_bytes(randomness, "big")
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))


def read_ulid(text: str) -> tuple[int, bytes]:
    """A ULID's milliseconds and randomness. Raises ValueError for what is none."""
    try:
        number = sum(_CROCKFORD.index(c) << 5 * i for i, c in enumerate(reversed(text.lower())))
    except ValueError:
        raise ValueError(f"{text!r} is no ULID") from None
    if len(text) != 26 or number >= 2**128:
        raise ValueError(f"{text!r} is no ULID")
    return number >> 80, (number & (2**80 - 1)).to_bytes(10, "big")


def job_name(template: str | None, milliseconds: int, randomness: bytes) -> str:
    """A name for a job that was given none: `<template or run>-<ulid>`."""
    cleaned = re.sub(r"[^a-z0-9-]+", "-", (template or "run").lower())
    part = cleaned[:TEMPLATE_PART_LENGTH].strip("-") or "run"
    return f"{part}-{ulid(milliseconds, randomness)}"
