import pytest

from libs.contracts.market import Catalogue
from services.socket_edge.assets import Assets
from services.socket_edge.errors import ApiError
from tests.messages import NOW, an_active

ACTIVES = (
    an_active(76, "EURUSD-OTC", "EUR/USD OTC"),
    an_active(1, "EURUSD", "EUR/USD"),
    an_active(2086, "XAUUSD-OTC", "Gold OTC", "commodities"),
    an_active(2268, "BTCUSD-OTC-op", "Bitcoin", "crypto"),
    an_active(900, "S&P 500", "US 500", "indices"),
)


@pytest.fixture
def assets() -> Assets:
    catalogue = Catalogue(at=NOW, actives=ACTIVES)
    return Assets(lambda: catalogue)


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("EURUSD-OTC", 76),
        ("EURUSD", 1),
        ("EUR/USD OTC", 76),
        ("EUR/USD", 1),
        ("eurusd-otc", 76),
        ("eur usd otc", 76),
        ("BTCUSD-OTC-op", 2268),
        ("btcusd-otc-OP", 2268),
        ("bitcoin", 2268),
        ("S&P 500", 900),
        ("gold (OTC)", 2086),
    ],
)
def test_an_asset_is_found_by_key_or_name(assets: Assets, text: str, id: int) -> None:
    assert assets.find(text).id == id


@pytest.mark.parametrize("text", ["", "EUR", "USD", "GOLD", "BTC", "EURUSD-OT", "76", "-", "constructor"])
def test_it_is_never_guessed(assets: Assets, text: str) -> None:
    with pytest.raises(ApiError) as refused:
        assets.find(text)
    assert (refused.value.status, refused.value.code) == (404, "ASSET_NOT_FOUND")


def test_a_key_is_stronger_than_another_assets_name() -> None:
    catalogue = Catalogue(at=NOW, actives=(an_active(1, "ABC", "XYZ"), an_active(2, "XYZ", "ABC")))
    assets = Assets(lambda: catalogue)
    assert (assets.find("XYZ").id, assets.find("ABC").id, assets.find("xyz").id) == (2, 1, 2)


def test_a_new_catalogue_is_followed() -> None:
    catalogue = Catalogue(at=NOW, actives=ACTIVES[:1])
    assets = Assets(lambda: catalogue)
    assets.find("EURUSD-OTC")
    catalogue = Catalogue(at=NOW, actives=ACTIVES[1:])
    assert assets.find("EURUSD").id == 1
    with pytest.raises(ApiError):
        assets.find("EURUSD-OTC")


def test_without_a_catalogue_it_cannot_be_said() -> None:
    with pytest.raises(ApiError) as refused:
        Assets(lambda: None).find("EURUSD")
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "2")
