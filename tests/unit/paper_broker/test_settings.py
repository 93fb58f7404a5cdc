from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from libs.contracts.clock import SystemClock
from libs.service import CannotStart
from services.paper_broker.app import build
from services.paper_broker.settings import Settings
from services.paper_broker.storage import IN_MEMORY, Storage
from services.paper_broker.usage import usage


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREGAO_PAPER_API_TOKEN", "a-token-of-tests")


def test_the_market_is_a_list_of_tickers_and_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREGAO_PAPER_MARKET", "GBPUSD-OTC=/data/gbp.csv.gz, USDJPY-OTC=/data/usd.csv")
    assert Settings().paper_market == {  # type: ignore[call-arg]  # the rest comes from the environment
        "GBPUSD-OTC": Path("/data/gbp.csv.gz"),
        "USDJPY-OTC": Path("/data/usd.csv"),
    }


@pytest.mark.parametrize("text", ["GBPUSD-OTC", "=/data/gbp.csv", "GBPUSD-OTC="])
def test_a_market_that_does_not_read_so_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PREGAO_PAPER_MARKET", text)
    with pytest.raises(ValidationError, match="TICKER=path"):
        Settings()  # type: ignore[call-arg]  # the rest comes from the environment


def test_an_unknown_currency_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREGAO_PAPER_CURRENCY", "XXX")
    with pytest.raises(ValidationError, match="must be one of USD, EUR"):
        Settings()  # type: ignore[call-arg]  # the rest comes from the environment


def test_the_token_has_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREGAO_PAPER_API_TOKEN")
    with pytest.raises(ValidationError, match="paper_api_token"):
        Settings()  # type: ignore[call-arg]  # the rest comes from the environment


def started(**settings: object) -> None:
    given = Settings(paper_api_token=SecretStr("a-token-of-tests"), **settings)  # type: ignore[arg-type]  # as told
    build(given, Storage(IN_MEMORY), SystemClock())


def test_a_file_that_cannot_be_used_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"PREGAO_PAPER_ACTIVES: .*nowhere\.json"):
        started(paper_actives=tmp_path / "nowhere.json")
    with pytest.raises(CannotStart, match=r"PREGAO_PAPER_MARKET: .*nowhere\.csv"):
        started(paper_market={"EURUSD-OTC": tmp_path / "nowhere.csv"})
    with pytest.raises(CannotStart, match=r"PREGAO_PAPER_MARKET: XYZ is not an active"):
        started(paper_market={"XYZ": tmp_path / "nowhere.csv"})


def test_a_speed_that_does_not_fit_is_named(tmp_path: Path) -> None:
    path = tmp_path / "eur.csv"
    path.write_text("timestamp,open,high,low,close\n2012-02-01 00:00,1,1,1,1\n2012-02-01 00:01,1,1,1,1\n")
    with pytest.raises(CannotStart, match="PREGAO_PAPER_MARKET: speed 7 "):
        started(paper_market={"EURUSD-OTC": path}, paper_speed=7)


def test_help_names_every_setting_with_its_default() -> None:
    text = usage("services.paper_broker", "Purpose.", Settings)
    for name in Settings.model_fields:
        assert f"PREGAO_{name.upper()}" in text
    assert "PREGAO_PAPER_API_TOKEN (required)" in text
    assert "PREGAO_PAPER_PORT [4500]\n      One port for all of them." in text


def test_refused_countries_are_a_list_of_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREGAO_PAPER_REFUSED_COUNTRIES", "US, FR,")
    assert Settings().paper_refused_countries == {"US", "FR"}  # type: ignore[call-arg]  # from the environment
    monkeypatch.setenv("PREGAO_PAPER_REFUSED_COUNTRIES", "France")
    with pytest.raises(ValidationError, match="paper_refused_countries"):
        Settings()  # type: ignore[call-arg]  # the rest comes from the environment
