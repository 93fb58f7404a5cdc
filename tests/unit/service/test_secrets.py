import pytest

from libs.service.secrets import weakness


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        ("", "shorter"),
        ("k7Qz0mXr", "shorter"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "different characters"),
        ("abababababababababababababababab", "different characters"),
        ("super-secret-jwt-token-with-at-least-32-characters-long", "known default"),
        ("SUPER-SECRET-JWT-TOKEN-WITH-AT-LEAST-32-CHARACTERS-LONG", "known default"),
        ("this-is-just-an-example-of-a-long-value", "known default"),
    ],
)
def test_a_weak_secret_is_told_what_is_wrong(secret: str, problem: str) -> None:
    assert problem in (weakness(secret, 16) or "")


def test_length_counts_in_bytes() -> None:
    assert weakness("kZ9áéíóúçãõx", 16) is None


@pytest.mark.parametrize("secret", ["mC0YVbq2Tn8sPZ4u", "0f8e3c5b7a921d64" * 2])
def test_a_generated_secret_is_accepted(secret: str) -> None:
    assert weakness(secret, 16) is None
