"""What can be done with jobs: create, find, list, cancel, delete. Called by the routes.

Reads come from the shared watch, and from the archive's records once a job is gone; writes go to
the API server, and their answers into the watch, so that whoever created a job finds it at once.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from cijob_api import names
from cijob_api.objects import CIJob, CIJobTemplate
from cijob_api.reasons import FINAL, Phase
from cijob_api.specs import CIJobSpec
from cijob_gateway import listings
from cijob_gateway.errors import (
    Down,
    IdempotencyMismatch,
    Invalid,
    JobFinished,
    NameTaken,
    NotFound,
)
from cijob_gateway.listings import Filter
from cijob_gateway.records import Records
from cijob_gateway.sources import Sources
from cijob_gateway.store import Store
from cijob_gateway.submissions import Identity, Submission, manifest, same_key, secret
from cijob_gateway.watches import Json, Watch
from cijob_kube.api import Api
from cijob_kube.errors import AlreadyExists, ApiError, Conflict, Gone

logger = logging.getLogger(__name__)
UNSUSPEND_TRIES = 5
TEMPLATE_SECONDS = 5.0


class Jobs:
    """The jobs of all namespaces that this gateway serves."""

    def __init__(
        self,
        api: Api,
        store: Store,
        *,
        watch: Watch[CIJob],
        templates: Watch[CIJobTemplate],
        system_namespace: str,
        now: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._records = Records(store)
        self._watch = watch
        self._templates = templates
        self._system_namespace = system_namespace
        self.sources = Sources(store, now=now)

    # -- creating -------------------------------------------------------------------------------

    async def create(
        self, asked: Submission, identity: Identity, *, dry_run: bool, **notes: str
    ) -> tuple[Json, bool]:
        """Create a job; it, and whether it is new. Raises Problem, ApiError."""
        body = manifest(asked, identity, **notes)
        spec = CIJobSpec.model_validate(body["spec"])
        await self._check_template(spec, identity.namespace)
        if not dry_run:  # who only asks has uploaded nothing yet
            await self.sources.use(spec, identity.namespace)
        # Strict: a field that the schema does not know is refused, not dropped.
        query = {"fieldValidation": "Strict", "fieldManager": names.MANAGER_GATEWAY}
        if dry_run:
            query["dryRun"] = "All"
        path = _path(identity.namespace)
        try:
            job = await self._api.create(path, body, **query)
        except AlreadyExists:
            return await self._known(body, identity, asked), False
        if dry_run:
            job["metadata"].pop("managedFields", None)
            return job, False
        if asked.secrets:
            job = await self._give_secret(job, asked)
        self._watch.put(job)
        return job, True

    async def _known(self, body: Json, identity: Identity, asked_for: Submission) -> Json:
        """The job that is there under that name, if the same request made it."""
        name = body["metadata"]["name"]
        there = await self._api.get(_path(identity.namespace, name))
        notes = there["metadata"].get("annotations") or {}
        before = notes.get(names.ANNOTATION_IDEMPOTENCY, "")
        asked = body["metadata"]["annotations"].get(names.ANNOTATION_IDEMPOTENCY)
        if asked and before == asked:
            # The gateway that began it may have been killed before its Secret was there.
            half_made = asked_for.secrets and names.ANNOTATION_AWAITS_SECRET in notes
            return await self._give_secret(there, asked_for, again=True) if half_made else there
        if asked and before and same_key(before, asked):
            raise IdempotencyMismatch(f"this Idempotency-Key made job {name} from another request")
        raise NameTaken(f"there is a job {name} already; choose another name, or leave it out")

    async def _check_template(self, spec: CIJobSpec, namespace: str) -> None:
        """A mistyped template would wait for a day: say at once which there are."""
        reference = spec.template_ref
        if reference is None or self.template(namespace, reference.name):
            return
        # `helm upgrade` deletes the chart's templates, and makes them anew a moment later.
        for place in (self._system_namespace, namespace):
            if await self._templates.returns(
                place, reference.name, patience_seconds=TEMPLATE_SECONDS
            ):
                return
        there = sorted({t["metadata"]["name"] for t in self.templates(namespace)})
        words = f"there are: {', '.join(there)}" if there else "there is none at all"
        raise Invalid(f"there is no template {reference.name!r} in {namespace}; {words}")

    async def _give_secret(self, job: Json, asked: Submission, *, again: bool = False) -> Json:
        """The job is there and waits; make its Secret, then let it run.

        Killed in between, nothing runs without its secret: the same request again completes the
        job, or the sweep removes it.
        """
        namespace = job["metadata"]["namespace"]
        path = f"/api/v1/namespaces/{namespace}/secrets"
        try:
            await self._api.create(path, secret(job, asked.secrets))
        except AlreadyExists:
            if not again:  # somebody else's: the job must not run with it
                await self._discard(job)
                raise
        except ApiError:
            # What cannot be completed is not left for the sweep if we can help it; but once the
            # request came twice, the other one may have completed the job: then it runs.
            if not again:
                await self._discard(job)
            raise
        # A failure from here on may hide that it was released: a running job is never taken back.
        return await self._unsuspend(job, to=asked.spec.get("suspend"))

    async def _unsuspend(self, job: Json, *, to: object) -> Json:
        path = _path(job["metadata"]["namespace"], job["metadata"]["name"])
        current = job
        for _ in range(UNSUSPEND_TRIES):
            change = {
                "metadata": {
                    "resourceVersion": current["metadata"]["resourceVersion"],
                    "uid": job["metadata"]["uid"],
                    "annotations": {names.ANNOTATION_AWAITS_SECRET: None},
                },
                "spec": {"suspend": to},
            }
            try:
                return await self._api.patch(path, change, manager=names.MANAGER_GATEWAY)
            except Conflict:  # the operator wrote that it is suspended
                current = await self._api.get(path)
        raise Down("the job was changed by others again and again; submit it again")

    async def _discard(self, job: Json) -> None:
        try:
            await self.remove(job)
        except ApiError as error:
            logger.warning("a half-made job was left for the sweep: %s", error)

    # -- reading --------------------------------------------------------------------------------

    async def body(self, namespace: str, name: str) -> Json:
        """A job as the API server has it. Raises NotFound, ApiError."""
        known = self._watch.body(namespace, name)
        if known is None:
            # It may have been made a moment ago, through another gateway.
            try:
                known = await self._api.get(_path(namespace, name))
            except Gone:
                raise NotFound(f"there is no job {name!r} in namespace {namespace}") from None
            self._watch.put(known)
        return known

    async def body_or_record(self, namespace: str, name: str) -> Json:
        """A job as the API server has it or, once it is gone, as it ended.

        Raises NotFound, Down, ApiError.
        """
        try:
            return await self.body(namespace, name)
        except NotFound:
            if found := await self._records.find(namespace, name):
                return found
            raise

    async def page(self, namespace: str, wanted: Filter) -> tuple[list[Json], str | None]:
        """A page of jobs, newest first, and the token of the next one. Raises Down."""
        if wanted.every:
            return await listings.page_of_all(self._watch, self._records, namespace, wanted)
        return listings.page(self._watch, namespace, wanted)

    def template(self, namespace: str, name: str) -> Json | None:
        """A template of the namespace or, failing that, of the system namespace."""
        own = self._templates.body(namespace, name)
        return own or self._templates.body(self._system_namespace, name)

    def templates(self, namespace: str) -> list[Json]:
        """The templates that jobs of a namespace can name: its own, and the system's."""
        bodies = [
            *self._templates.bodies(self._system_namespace),
            *self._templates.bodies(namespace),
        ]
        return sorted(
            {body["metadata"]["name"]: body for body in bodies}.values(),
            key=lambda body: str(body["metadata"]["name"]),
        )

    # -- changing -------------------------------------------------------------------------------

    async def cancel(self, job: Json) -> Json:
        """Ask for a job's end; asking twice is no error. Raises JobFinished, ApiError."""
        name = job["metadata"]["name"]
        phase = (job.get("status") or {}).get("phase")
        if phase in FINAL and phase != Phase.CANCELLED:
            raise JobFinished(f"job {name} has finished already: {phase}", phase=phase)
        if job["spec"].get("desiredState") == "Cancelled":
            return job
        path = _path(job["metadata"]["namespace"], name)
        change = {
            "metadata": {"uid": job["metadata"]["uid"]},
            "spec": {"desiredState": "Cancelled"},
        }
        answer = await self._api.patch(path, change, manager=names.MANAGER_GATEWAY)
        self._watch.put(answer)
        return answer

    async def delete(self, job: Json, *, patience_seconds: float) -> bool:
        """Cancel a job, wait for its end, delete it. False if it had not ended by then."""
        if (job.get("status") or {}).get("phase") not in FINAL:
            await self.cancel(job)
            if not await self.ended(job, patience_seconds=patience_seconds):
                return False
        await self.remove(job)
        return True

    async def ended(self, job: Json, *, patience_seconds: float) -> bool:
        """Wait for a job's end; whether it came."""
        metadata = job["metadata"]
        changes = self._watch.changes(metadata["namespace"], metadata["name"], metadata["uid"])
        try:
            async with asyncio.timeout(patience_seconds):
                async for state in changes:
                    if state is None or state.status.phase.is_final:
                        break
        except TimeoutError:
            return False
        finally:
            await changes.aclose()  # type: ignore[attr-defined]
        return True

    async def remove(self, job: Json) -> None:
        """Delete a job, if it still is that one."""
        metadata = job["metadata"]
        path = _path(metadata["namespace"], metadata["name"])
        try:
            answer = await self._api.delete(path, uid=metadata["uid"])
        except (Gone, Conflict):
            answer = {}
        if answer.get("kind") == "CIJob":  # a finalizer, not ours, keeps it for now
            self._watch.put(answer)
        else:
            self._watch.forget(job)


def _path(namespace: str, name: str = "") -> str:
    path = f"/apis/{names.API_VERSION}/namespaces/{namespace}/cijobs"
    return f"{path}/{name}" if name else path
