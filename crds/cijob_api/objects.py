"""The custom resources: CIJob, CIJobTemplate and CIPool, parsed once at the edge.

`CIJob.parse(body)` gives a trusted object or raises Malformed with words for people.
"""

from typing import Any, Self

from pydantic import Field, ValidationError

from cijob_api.errors import Malformed
from cijob_api.fields import Model, words_of
from cijob_api.specs import CIJobSpec, CIJobTemplateSpec, CIPoolSpec
from cijob_api.statuses import CIJobStatus, CIPoolStatus


class OwnerReference(Model):
    """Who owns an object."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class Metadata(Model):
    """What every object has; the few fields that anybody here reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    owner_references: list[OwnerReference] = Field(default_factory=list)


class Resource(Model):
    """An object with metadata."""

    metadata: Metadata

    @classmethod
    def parse(cls, body: Any) -> Self:
        """Read an object as the API server gives it. Raises Malformed, naming the field."""
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(step) for step in first["loc"]) or "the object"
            raise Malformed(f"{where}: {words_of(first)}") from error

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return (self.metadata.namespace, self.metadata.name)


class CIJob(Resource):
    """One run of one user's code."""

    spec: CIJobSpec
    status: CIJobStatus = CIJobStatus()


class CIJobTemplate(Resource):
    """A recipe that jobs start from."""

    spec: CIJobTemplateSpec


class CIPool(Resource):
    """A class of build capacity."""

    spec: CIPoolSpec
    status: CIPoolStatus = CIPoolStatus()
