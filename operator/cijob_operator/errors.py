"""What ends the operator, and who must act. What the API server answers is in `cijob_kube.errors`.

LeaseLost               this process leads no more: it writes nothing
NotPermitted            a right is missing at the start: the administrator must grant it
"""


class LeaseLost(Exception):
    """Another process leads now, or may lead soon."""


class NotPermitted(Exception):
    """A right that the operator needs is missing; the message names it."""
