"""`/internal/v1/…`: what agents fetch, each for its own Pod's job and nothing else."""

from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request, Response

from cijob_api import names
from cijob_api.objects import CIJob, CIJobTemplate
from cijob_api.parts import Archive
from cijob_api.resolve import merge
from cijob_gateway import metrics
from cijob_gateway.errors import Forbidden, NotFound
from cijob_gateway.parts import Given, Name, Namespace, Parts
from cijob_gateway.store import Store, Stored, source_name
from cijob_gateway.streams import Stream
from cijob_gateway.watches import Json
from cijob_kube.errors import Gone

router = APIRouter(prefix="/internal/v1/namespaces/{namespace}/jobs/{name}", tags=["agents"])
POD_NAME = "authentication.kubernetes.io/pod-name"
POD_UID = "authentication.kubernetes.io/pod-uid"


@router.get("/source", summary="The job's source")
async def source(namespace: Namespace, name: Name, request: Request, given: Given) -> Response:
    """The zip, to the agent of that job's running Pod."""
    job, _ = await own_pod(given, namespace, name, request)
    archive = _archive(given, job)
    stored = await given.store.find(source_name(namespace, archive.sha256))
    if stored is None:
        raise NotFound(f"the source {archive.sha256} is no longer stored; submit the job again")
    headers = {"Content-Type": "application/zip", "Content-Length": str(stored.size)}
    return Stream(_counted(given.store, stored), headers)


async def _counted(store: Store, stored: Stored) -> AsyncGenerator[bytes, None]:
    async for chunk in store.read(stored.name):
        metrics.fetched_bytes.inc(len(chunk))
        yield chunk


async def own_pod(given: Parts, namespace: str, name: str, request: Request) -> tuple[CIJob, Json]:
    """The job, and the running Pod of it whose token came with the request.

    Raises Forbidden for any other token. One outlives its Pod by seconds: the Pod is looked at, and
    its UID compared.
    """
    agent = await given.login.agent(request.headers.get("Authorization"))
    job = CIJob.parse(await given.jobs.body(namespace, name))
    metadata = job.metadata
    refused = Forbidden(f"this token is not of a running Pod of job {metadata.name}")
    if not agent.user.startswith(f"system:serviceaccount:{metadata.namespace}:"):
        raise refused
    pod_name = agent.said(POD_NAME)
    if not pod_name.startswith(f"{metadata.name}-"):
        raise refused
    try:
        pod = await given.api.get(f"/api/v1/namespaces/{metadata.namespace}/pods/{pod_name}")
    except Gone:
        raise refused from None
    if pod["metadata"]["uid"] != agent.said(POD_UID) or not _is_of(pod, job):
        raise refused
    return job, pod


def _is_of(pod: Json, job: CIJob) -> bool:
    """Whether a Pod is one of the job's, and has not ended."""
    owners = [owner.get("uid") for owner in pod["metadata"].get("ownerReferences") or ()]
    labels = pod["metadata"].get("labels") or {}
    return (
        job.metadata.uid in owners
        and labels.get(names.LABEL_JOB) == job.metadata.name
        and labels.get(names.LABEL_ATTEMPT, "").isdecimal()
        and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}
    )


def _archive(given: Parts, job: CIJob) -> Archive:
    reference = job.spec.template_ref
    body = given.jobs.template(job.metadata.namespace, reference.name) if reference else None
    template = CIJobTemplate.parse(body).spec if body else None
    found = merge(job.spec, template).source
    if found is None or found.archive is None:
        raise NotFound(f"job {job.metadata.name} has no archive as its source")
    return found.archive
