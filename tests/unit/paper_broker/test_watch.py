from services.paper_broker.watch import VALID_SECONDS, Watch

NOW = 1_000_000


def test_the_last_registration_of_a_user_counts() -> None:
    watch = Watch()
    watch.register(1, frozenset({"a", "b"}), NOW)
    watch.register(1, frozenset({"c"}), NOW)
    assert watch.ids(1, NOW) == {"c"}
    assert watch.ids(2, NOW) == frozenset()


def test_it_lapses_and_can_be_renewed() -> None:
    watch = Watch()
    watch.register(1, frozenset({"a"}), NOW)
    end = NOW + VALID_SECONDS * 1000
    assert watch.ids(1, end - 1) == {"a"}
    assert watch.ids(1, end) == frozenset()
    watch.register(1, frozenset({"a"}), end)
    assert watch.ids(1, end) == {"a"}
