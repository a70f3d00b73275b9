"""Conditions, as everywhere in Kubernetes: a time says when their status changed last. Pure.

Used by every writer of a status; the time is passed in.
"""

from cijob_api.statuses import Condition


def with_condition(conditions: list[Condition] | None, new: Condition) -> list[Condition]:
    """The conditions with `new` in the place of its type's old one, or at the end.

    `new.last_transition_time` is the present. It stays the old one while the status stays, so that
    a new message does not look like a change.
    """
    result = list(conditions or [])
    for place, old in enumerate(result):
        if old.type != new.type:
            continue
        if old.status == new.status:
            new = new.model_copy(update={"last_transition_time": old.last_transition_time})
        result[place] = new
        return result
    return [*result, new]
