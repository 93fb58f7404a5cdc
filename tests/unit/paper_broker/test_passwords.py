from services.paper_broker.passwords import digest, matches


def test_only_the_same_password_matches() -> None:
    stored = digest("correct horse")
    assert matches("correct horse", stored)
    assert not matches("Correct horse", stored)
    assert not matches("", stored)


def test_the_same_password_never_looks_the_same() -> None:
    first, second = digest("correct horse"), digest("correct horse")
    assert first != second
    assert b"correct horse" not in first


def test_who_has_no_password_cannot_be_logged_in() -> None:
    assert not matches("", None)
    assert not matches("anything", None)
