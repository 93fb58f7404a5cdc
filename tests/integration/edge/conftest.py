from tests.integration.edge.stack import (
    backend,
    browse,
    browsed_stack,
    edge,
    own_stack,
    person,
    shared_stack,
    somebody_else,
    super_admin,
    unlimited_stack,
)

__all__ = [
    "backend",
    "browse",
    "browsed_stack",
    "edge",
    "own_stack",
    "person",
    "shared_stack",
    "somebody_else",
    "super_admin",
    "unlimited_stack",
]
