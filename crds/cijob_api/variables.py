"""A job's environment variables, and the Secrets and fields that their values come from.

Docstrings below fields are their descriptions in `kubectl explain`.
"""

from typing import Annotated

from pydantic import Field

from cijob_api.fields import EnvName, Key, Model, ObjectName, Word, rule, rules


class KeyRef(Model):
    """One key of a Secret or ConfigMap."""

    name: ObjectName
    """Name of the Secret or ConfigMap, in the job's namespace."""
    key: Key
    """The key in it."""
    optional: bool | None = None
    """Whether the job runs without it when it is missing (default false)."""


class FieldRef(Model):
    """A field of the job's own Pod."""

    field_path: Word
    """Such as metadata.name, status.podIP or spec.nodeName."""


class ValueFrom(Model):
    """Where a variable's value comes from: exactly one of these."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.fieldRef)]"
                ".filter(x, x).size() == 1",
                "give exactly one of secretKeyRef, configMapKeyRef and fieldRef",
            )
        )
    }

    secret_key_ref: KeyRef | None = None
    """A key of a Secret."""
    config_map_key_ref: KeyRef | None = None
    """A key of a ConfigMap."""
    field_ref: FieldRef | None = None
    """A field of the Pod."""


class EnvVar(Model):
    """One environment variable."""

    model_config = {
        "json_schema_extra": rules(
            rule("!(has(self.value) && has(self.valueFrom))", "give value or valueFrom, not both")
        )
    }

    name: EnvName
    """The variable's name."""
    value: Annotated[str, Field(max_length=32768)] | None = None
    """Its value (default empty). Not for secrets: everybody who sees the job sees it."""
    value_from: ValueFrom | None = None
    """Where its value comes from, instead of value."""


class SecretEnv(Model):
    """Environment variables from a Secret."""

    secret_name: ObjectName
    """Name of the Secret. Those named cijob-… belong to jobs: a job may name only its own."""
    # Not empty: that would read as "the whole Secret", the opposite of what it says.
    keys: list[EnvName] | None = Field(default=None, min_length=1, max_length=64)
    """Keys to take, each left out when it or the Secret is missing (default: the whole Secret,
    which must be there)."""
