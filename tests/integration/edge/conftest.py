from tests.integration.edge.stack import (
    backend,
    browse,
    browsed_stack,
    edge,
    own_stack,
    person,
    shared_stack,
    somebody_else,
)

__all__ = ["backend", "browse", "browsed_stack", "edge", "own_stack", "person", "shared_stack", "somebody_else"]
