from tests.integration.edge.stack import backend, browse, edge, own_stack, person, shared_stack, somebody_else

__all__ = ["backend", "browse", "edge", "own_stack", "person", "shared_stack", "somebody_else"]
