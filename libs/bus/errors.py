"""Errors of the bus. Each says what happened, and its class says whether a retry can help."""


class BusError(Exception):
    """Base of all."""


class BusUnavailable(BusError):
    """The server did not confirm in time: it may or may not have been done. Repeating with the same id is safe."""


class RevisionConflict(BusError):
    """Somebody else wrote the key since it was read; read it again and decide anew."""

    def __init__(self, key: str, revision: int) -> None:
        super().__init__(f"{key} is no longer at revision {revision}")
        self.key = key
        self.revision = revision


class Poison(BusError):
    """Raised by a consumer's handler: this message can never be handled; it goes to the dead letters."""


class Unavailable(BusError):
    """Raised by a consumer's handler: something it needs is away; try again, for as long as it takes."""
