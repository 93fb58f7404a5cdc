"""Errors of the store; the class says whether a retry can help."""


class StoreError(Exception):
    """Base of all."""


class StoreUnavailable(StoreError):
    """The database is away, overloaded or shutting down: trying again can help."""


class StoreTooSlow(StoreUnavailable):
    """The database gave up on a statement that took longer than it may."""


class StoreRefused(StoreError):
    """The database said no to this request: trying the same again does not help."""
