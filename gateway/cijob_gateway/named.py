"""Which sources somebody may still ask for: what a job or a template names. Used by sweeps."""

from cijob_api.objects import CIJob, CIJobTemplate
from cijob_gateway.store import source_name
from cijob_gateway.watches import Json, Watch


class Named:
    """The names of these sources, as of the moment when it is asked."""

    def __init__(
        self, jobs: Watch[CIJob], templates: Watch[CIJobTemplate], system_namespace: str
    ) -> None:
        self._jobs = jobs
        self._templates = templates
        self._system_namespace = system_namespace
        self._as_of = (-1, -1)
        self._names: set[str] = set()
        # Of the system's templates: their jobs look in whatever namespace they are in.
        self._digests: set[str] = set()

    @property
    def trouble(self) -> str:
        """Why some may be missing, in words; empty if none is."""
        return self._jobs.trouble or self._templates.trouble

    def __contains__(self, name: str) -> bool:
        as_of = (self._jobs.generation, self._templates.generation)
        if as_of != self._as_of:
            self._look()
            self._as_of = as_of
        return name in self._names or name.rpartition("/")[2] in self._digests

    def _look(self) -> None:
        self._names, self._digests = set(), set()
        for body in (*self._jobs.bodies(), *self._templates.bodies()):
            if digest := _digest(body):
                self._names.add(source_name(body["metadata"]["namespace"], digest))
        for body in self._templates.bodies(self._system_namespace):
            if digest := _digest(body):
                self._digests.add(source_name("", digest).rpartition("/")[2])


def _digest(body: Json) -> str | None:
    archive = (body["spec"].get("source") or {}).get("archive") or {}
    digest: str | None = archive.get("sha256")
    return digest
