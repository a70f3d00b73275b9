"""What ends the operator, and who must act. What the API server answers is in `cijob_kube.errors`.

NotPermitted            a right is missing at the start: the administrator must grant it
"""


class NotPermitted(Exception):
    """A right that the operator needs is missing; the message names it."""
