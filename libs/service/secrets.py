"""Which secrets are too weak to be let out of a developer's machine."""

MIN_DISTINCT = 8
"""Different characters; fewer is a word, a keyboard row or a repetition."""

KNOWN = (
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "your-256-bit-secret",
    "sb_secret_n7und0ugjktvk-uodkm0hg_xsvempvz",
)
"""Defaults that are printed in public documentation, in lower case."""

PLACEHOLDERS = ("changeme", "change-me", "change_me", "placeholder", "example", "password", "pregao-local")
"""Words that a generated secret does not contain."""


def weakness(secret: str, minimum: int) -> str | None:
    """What is wrong with a secret that should have at least `minimum` bytes; None when nothing is."""
    lowered = secret.lower()
    if len(secret.encode()) < minimum:
        return f"is shorter than {minimum} bytes"
    if lowered in KNOWN or any(word in lowered for word in PLACEHOLDERS):
        return "is a known default"
    if len(set(secret)) < MIN_DISTINCT:
        return f"has fewer than {MIN_DISTINCT} different characters"
    return None
