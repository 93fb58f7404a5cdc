import json
from pathlib import Path

import pytest

from services.paper_broker.catalogue import BUILT_IN, BadCatalogue, Catalogue, Category
from services.paper_broker.hours import Place
from tests.unit.paper_broker.world import APPLE, EURUSD

CATALOGUE = Catalogue.load(BUILT_IN, always_open=False)
EUR = {"id": 1, "ticker": "EURUSD", "name": "EUR/USD", "category": "forex", "price": 1.08}


def a_file(directory: Path, entries: object) -> Path:
    path = directory / "actives.json"
    path.write_text(json.dumps(entries))
    return path


def test_the_built_in_one_has_140_actives_of_all_categories() -> None:
    assert len(CATALOGUE) == 140
    assert {active.category for active in CATALOGUE} == set(Category)


def test_actives_are_found_by_id_and_by_exact_ticker() -> None:
    active = CATALOGUE.get(EURUSD)
    assert active is not None
    assert (active.ticker, active.name) == ("EURUSD-OTC", "EUR/USD OTC")
    assert CATALOGUE.named("EURUSD-OTC") is active
    assert CATALOGUE.named("eurusd-otc") is None
    assert CATALOGUE.get(9) is None


def test_only_otc_and_crypto_trade_at_all_times() -> None:
    for active in CATALOGUE:
        always = active.otc or active.category is Category.CRYPTO
        assert (active.hours is Place.ALWAYS) is always, active


def test_all_can_be_made_to_trade_at_all_times() -> None:
    assert all(active.hours is Place.ALWAYS for active in Catalogue.load(BUILT_IN, always_open=True))


@pytest.mark.parametrize(
    ("price", "precision"),
    [(1.08, 6), (0.85, 7), (151.4, 4), (91_500, 2), (0.0000092, 12), (6710, 3), (123_456_789, 2)],
)
def test_prices_have_seven_significant_digits_and_at_least_two_decimals(
    tmp_path: Path, price: float, precision: int
) -> None:
    catalogue = Catalogue.load(a_file(tmp_path, [EUR | {"price": price}]), always_open=False)
    assert [active.precision for active in catalogue] == [precision]


@pytest.mark.parametrize(
    ("name", "sides"),
    [("EUR/USD OTC", ("EUR", "USD")), ("BTC/USD", ("BTC", "USD")), ("Apple", ("", "USD")),
     ("Google / Microsoft OTC", ("", "USD"))],
)  # fmt: skip
def test_currencies_are_read_from_names_that_tell_them(tmp_path: Path, name: str, sides: tuple[str, str]) -> None:
    catalogue = Catalogue.load(a_file(tmp_path, [EUR | {"name": name}]), always_open=False)
    assert [active.sides for active in catalogue] == [sides]


def test_the_first_of_two_with_the_same_id_or_ticker_counts(tmp_path: Path) -> None:
    entries = [EUR, EUR | {"ticker": "OTHER"}, EUR | {"id": 2}]
    assert [active.ticker for active in Catalogue.load(a_file(tmp_path, entries), always_open=False)] == ["EURUSD"]


def test_what_is_suspended_or_closed_cannot_be_bought(tmp_path: Path) -> None:
    entries = [EUR, EUR | {"id": 2, "ticker": "A", "suspended": True}, EUR | {"id": 3, "ticker": "B", "hours": "us"}]
    catalogue = Catalogue.load(a_file(tmp_path, entries), always_open=False)
    noon = 1_795_521_600
    assert [active.tradable(noon) for active in catalogue] == [True, False, False]
    assert [active.tradable(noon + 3 * 3600) for active in catalogue] == [True, False, True]


def test_payout_is_what_the_commission_leaves() -> None:
    active = CATALOGUE.get(APPLE)
    assert active is not None
    assert active.payout == 80


@pytest.mark.parametrize(
    "entries",
    [{}, [{}], [EUR | {"id": 0}], [EUR | {"price": -1}], [EUR | {"category": "bonds"}], [EUR | {"hours": "mars"}],
     [EUR | {"key": "EURUSD"}], [EUR | {"volatility": 0}], [EUR | {"volatility": 1}]],
)  # fmt: skip
def test_a_bad_file_is_refused_by_name(tmp_path: Path, entries: object) -> None:
    with pytest.raises(BadCatalogue, match=r"actives\.json"):
        Catalogue.load(a_file(tmp_path, entries), always_open=False)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadCatalogue, match=r"nowhere\.json"):
        Catalogue.load(tmp_path / "nowhere.json", always_open=False)


def test_an_active_can_be_suspended_and_resumed() -> None:
    catalogue = Catalogue.load(BUILT_IN, always_open=False)
    assert catalogue.suspend(EURUSD, True)
    assert not catalogue.suspend(EURUSD, True)
    for active in (catalogue.get(EURUSD), catalogue.named("EURUSD-OTC"), next(iter(catalogue))):
        assert active is not None
        assert active.suspended
    assert catalogue.suspend(EURUSD, False)
    assert not catalogue.suspend(9, True)
