"""The composition root: the parts of the platform, from the database to the port."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

from aiohttp import web

from libs.contracts.clock import Clock
from libs.service import CannotStart, Service
from libs.service.health import listen
from services.paper_broker.accounts import Accounts, BalanceType, Opening
from services.paper_broker.announcer import Announcer
from services.paper_broker.broker import Broker
from services.paper_broker.candles import History
from services.paper_broker.catalogue import BadCatalogue, Catalogue
from services.paper_broker.chat_control import ChatControl
from services.paper_broker.chats import Chats
from services.paper_broker.control import Control
from services.paper_broker.cors import cors
from services.paper_broker.digital import DigitalOptions
from services.paper_broker.exchange_rates import ExchangeRates
from services.paper_broker.fast_clock import platform_clock
from services.paper_broker.faults import Faults
from services.paper_broker.features import Features
from services.paper_broker.floor import Floor
from services.paper_broker.freezes import KeptFreezes
from services.paper_broker.http_api import SessionApi, Tokens, TranslationsApi, json_errors
from services.paper_broker.hub import Hub
from services.paper_broker.ledger import Ledger
from services.paper_broker.login_api import LoginApi
from services.paper_broker.margin import margin_trading
from services.paper_broker.market import Market
from services.paper_broker.oauth import OAuth
from services.paper_broker.oauth_api import OAuthApi
from services.paper_broker.options import Options
from services.paper_broker.orders import Orders
from services.paper_broker.positions import Positions
from services.paper_broker.pricing import Pricing
from services.paper_broker.replayed import BadMarket, load
from services.paper_broker.seed_file import BadSeed
from services.paper_broker.seed_file import load as load_seed
from services.paper_broker.seeding import sow
from services.paper_broker.selling import Selling
from services.paper_broker.server import PATH, WebSocketServer
from services.paper_broker.sessions import Sessions
from services.paper_broker.settings import Settings
from services.paper_broker.storage import CannotOpen, Storage
from services.paper_broker.ticker import Ticker
from services.paper_broker.translations import Translations
from services.paper_broker.users_api import Countries, UsersApi
from services.paper_broker.watch import Watch


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    try:
        storage = Storage(settings.paper_database)
    except CannotOpen as error:
        raise CannotStart(f"PREGAO_PAPER_DATABASE: {error}") from error
    with closing(storage):
        broker = build(settings, storage, service.clock)
        sockets = WebSocketServer(broker)
        runner = web.AppRunner(_web(settings, broker, sockets), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await listen(runner, settings.paper_host, settings.paper_port, "PREGAO_PAPER_PORT")
            service.background(Ticker(broker).run(), "ticker")
            yield
        finally:
            await sockets.close()
            await runner.cleanup()
            broker.announcer.close()


def build(settings: Settings, storage: Storage, clock: Clock) -> Broker:
    """Raises CannotStart when a file of the settings cannot be used."""
    clock = platform_clock(storage, clock, settings.paper_clock_speed)
    catalogue, market = _market(settings, storage, clock)
    ledger = Ledger(storage)
    accounts = Accounts(storage, ledger, _openings(settings), clock)
    sessions = Sessions(storage, settings.paper_session_seconds, clock)
    positions, orders = Positions(storage), Orders(storage)
    floor = Floor(storage, ledger, accounts, positions, orders, catalogue, market, clock)
    rates, pricing = ExchangeRates(catalogue, market), Pricing(market)
    margin = margin_trading(floor, rates)
    with _accounts_file(settings):
        seed = load_seed(settings.paper_accounts)
    hub = Hub()
    faults = Faults()
    broker = Broker(
        clock=clock,
        speed=settings.paper_clock_speed,
        catalogue=catalogue,
        market=market,
        rates=rates,
        history=History(catalogue, market),
        accounts=accounts,
        sessions=sessions,
        oauth=OAuth(storage, sessions, seed.clients, settings.paper_token_seconds, clock),
        ledger=ledger,
        positions=positions,
        orders=orders,
        options=Options(floor),
        digital=DigitalOptions(floor, pricing),
        selling=Selling(floor, pricing),
        margin=margin,
        watch=Watch(),
        faults=faults,
        hub=hub,
        announcer=Announcer(hub, accounts, margin.balances, faults, settings.paper_clock_speed),
        translations=Translations(catalogue, seed.translations),
        chats=Chats(hub, clock),
        features=Features(settings.paper_disabled_features),
    )
    with _accounts_file(settings):
        sow(seed, storage, broker)
    margin.watch.advance(broker.now())
    return broker


@contextmanager
def _accounts_file(settings: Settings) -> Iterator[None]:
    try:
        yield
    except BadSeed as error:
        raise CannotStart(f"PREGAO_PAPER_ACCOUNTS: {settings.paper_accounts}: {error}") from error


def _openings(settings: Settings) -> tuple[Opening, ...]:
    return (
        Opening(BalanceType.REAL, settings.paper_currency, settings.paper_real_balance),
        Opening(BalanceType.DEMO, settings.paper_currency, settings.paper_demo_balance),
    )


def _market(settings: Settings, storage: Storage, clock: Clock) -> tuple[Catalogue, Market]:
    try:
        catalogue = Catalogue.load(settings.paper_actives, always_open=settings.paper_always_open)
        replayed = load(settings.paper_market, settings.paper_speed, catalogue, storage, clock)
    except BadCatalogue as error:
        raise CannotStart(f"PREGAO_PAPER_ACTIVES: {error}") from error
    except BadMarket as error:
        raise CannotStart(f"PREGAO_PAPER_MARKET: {error}") from error
    return catalogue, Market(settings.paper_seed, KeptFreezes(storage), replayed)


def _web(settings: Settings, broker: Broker, sockets: WebSocketServer) -> web.Application:
    tokens = Tokens(settings.paper_api_token.get_secret_value())
    application = web.Application(middlewares=[cors, json_errors])
    application.router.add_get(PATH, sockets.handle)
    application.router.add_post("/sessions/{user}", SessionApi(broker, tokens).create)
    countries = Countries(settings.paper_country, settings.paper_refused_countries)
    application.router.add_post("/users", UsersApi(broker.accounts, tokens, countries).post)
    application.router.add_post("/v2/login", LoginApi(broker).post)
    application.router.add_routes(OAuthApi(broker).routes())
    application.router.add_get("/api/lang/route-translations", TranslationsApi(broker.translations).get)
    if settings.paper_control:
        application.router.add_routes(Control(broker, tokens).routes())
        application.router.add_routes(ChatControl(broker.chats, tokens).routes())
    return application
