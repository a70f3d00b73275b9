"""What can be wrong with an object of ours.

ContractError
└── Malformed    the object does not keep to its schema; says where and what was expected
"""


class ContractError(Exception):
    """An object does not keep to the contract."""


class Malformed(ContractError):
    """An object that the schema should have kept out: forged, or of another version."""
