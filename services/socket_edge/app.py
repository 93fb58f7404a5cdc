"""How the edge is put together."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from libs.bus import Bus, Stored
from libs.bus.topology import ACCOUNTS, ANSWERS, BOTS, CATALOGUE, FEEDS, NEWS, PLATFORM, RATES, VISITS
from libs.contracts import subjects
from libs.contracts.clock import Clock
from libs.service import Service
from libs.service.health import listen
from libs.store import Database
from libs.store.people import People
from libs.store.scanner import Signals
from services.socket_edge import gone, routes
from services.socket_edge.addresses import Addresses
from services.socket_edge.admin_api import AdminApi
from services.socket_edge.assets import Assets
from services.socket_edge.bot_api import BotApi
from services.socket_edge.broker_session_api import BrokerSessionApi
from services.socket_edge.candle_door import CandleDoor
from services.socket_edge.candle_hub import CandleHub
from services.socket_edge.connection_api import ConnectionApi
from services.socket_edge.credentials import Origins
from services.socket_edge.crm import routes as crm_routes
from services.socket_edge.crm.hooks import Hooks
from services.socket_edge.crm.mail_pages import MailPages
from services.socket_edge.dependencies import Dependencies
from services.socket_edge.dispatch import Gate, Handler, OfFacts, serve
from services.socket_edge.documents import serve_documents
from services.socket_edge.engine import Engine
from services.socket_edge.export_api import ExportApi
from services.socket_edge.export_links import ExportLinks
from services.socket_edge.fanout import Fanout
from services.socket_edge.http_server import Runner
from services.socket_edge.identity import TokenVerifier
from services.socket_edge.jwks import KeySet
from services.socket_edge.limits import Limits
from services.socket_edge.market_api import MarketApi
from services.socket_edge.metrics import Metrics
from services.socket_edge.middleware import answer_in_json, cross_origin, identify
from services.socket_edge.once import Once
from services.socket_edge.operators import OperatorEvents
from services.socket_edge.pages import Pages
from services.socket_edge.plain import Handler as PlainHandler
from services.socket_edge.plain import Plain, serve_plain
from services.socket_edge.platform_api import PlatformApi
from services.socket_edge.rates import RateLimiter
from services.socket_edge.roles import Roles
from services.socket_edge.route import Rate, Route
from services.socket_edge.scanner_api import ScannerApi
from services.socket_edge.service_api import VERSION, ServiceApi
from services.socket_edge.sessions_api import SessionsApi
from services.socket_edge.settings import Settings
from services.socket_edge.sign_up_api import SignUpApi
from services.socket_edge.socket_documents import serve_socket_documents
from services.socket_edge.sockets import Sockets
from services.socket_edge.ssid_api import SsidApi
from services.socket_edge.standing import Standing
from services.socket_edge.state import State
from services.socket_edge.user_events import UserEvents
from services.socket_edge.visits import Visits

log = structlog.get_logger()

_MAX_BODY = 1024 * 1024


@asynccontextmanager
async def app(settings: Settings, service: Service) -> AsyncIterator[None]:
    bus, clock = service.bus, service.clock
    await bus.ensure(ACCOUNTS, ANSWERS, BOTS, CATALOGUE, FEEDS, NEWS, PLATFORM, RATES, VISITS)
    secret_key = settings.supabase_secret_key.get_secret_value()
    async with aiohttp.ClientSession() as http, await Database.connect(settings.supabase_url, secret_key) as database:
        people = People(database)
        origins = Origins(settings.edge_cors_origins)
        verifier = _verifier(settings, http, clock)
        limits = _limits(settings, bus)
        engine = Engine(origins, settings.socket_limits, limits.household, clock)
        fanout = Fanout(engine, settings.edge_socket_budget)

        visits = Visits(bus, settings.edge_visit_interval)
        standing, state = Standing(people, clock, visits.seen), await State.follow(bus)
        await standing.follow(bus)
        roles = Roles(people.role, clock, second_factor=settings.edge_admin_second_factor)
        only_user = _only_user(settings, state)
        gate = Gate(verifier, standing, roles, origins, limits, only_user)
        assets = Assets(state.catalogue)
        users = UserEvents(bus, fanout, state, clock, settings.edge_resume_events)
        operators = OperatorEvents(fanout, state)
        await _follow(bus, users, operators)
        hub = CandleHub(bus, fanout)
        candles = CandleDoor(fanout, assets, hub, settings.edge_feeds_per_socket)
        metrics = Metrics(bus, fanout, operators)
        sockets = Sockets(
            engine, fanout, verifier, standing, roles, hub, candles, users, operators, metrics,
            settings.socket_limits, clock,
            only_user,
        )  # fmt: skip
        dependencies = Dependencies(bus, database.reachable, operators.health)

        service.background(dependencies.watch(), "dependencies")
        service.background(standing.watch(), "standing")
        service.background(visits.run(), "visits")
        service.background(metrics.run(), "metrics")
        service.background(hub.demand.run(), "demand")
        service.background(sockets.look_after(), "sockets")
        connection, bots = ConnectionApi(bus, state, people), BotApi(bus, state, assets)
        handlers = _handlers(
            state,
            ServiceApi(bus, dependencies, service.health.failing),
            connection,
            BrokerSessionApi(state, connection, clock),
            bots,
            SessionsApi(bus, state, bots),
            MarketApi(bus, assets),
            ScannerApi(bus, assets, Signals(database)),
            PlatformApi(bus),
            SignUpApi(bus),
        )
        links = ExportLinks(secret_key, clock)
        handlers |= AdminApi(bus).handlers() | SsidApi(bus).handlers() | crm_routes.handlers(bus, links)
        handlers |= ExportApi(bus, links).handlers()
        if settings.mode != "local":
            del handlers[routes.DISCOVER_ASSETS]
        present = await bus.serve("edge", {})  # so that it is missed when it is gone
        async with _listening(
            _web_app(
                gate,
                Once(bus, secret_key),
                origins,
                engine,
                handlers,
                Hooks(bus, limits).handlers() | MailPages(bus, limits).handlers(),
                _pages(settings),
            ),
            settings,
        ):
            yield
        await present.stop()
        await hub.demand.withdraw()
        await visits.tell()


async def _follow(bus: Bus, users: UserEvents, operators: OperatorEvents) -> None:
    def hear(stored: Stored) -> None:
        users.hear(stored)
        operators.hear(stored)

    users.begin((await bus.tail(NEWS, subjects.ALL_NEWS, hear)).position)


def _verifier(settings: Settings, http: aiohttp.ClientSession, clock: Clock) -> TokenVerifier:
    secret, jwks = settings.supabase_jwt_secret, settings.supabase_jwks_url
    return TokenVerifier(
        secret=secret.get_secret_value() if secret is not None else None,
        find_key=KeySet(http, jwks, clock).find if jwks is not None else None,
        issuer=settings.supabase_jwt_issuer,
    )


def _only_user(settings: Settings, state: State) -> Callable[[], str | None] | None:
    if settings.edge_auth == "strict":
        return None
    log.warning("requests_without_a_token_are_believed", setting="PREGAO_EDGE_AUTH=legacy")
    return state.only_user


def _pages(settings: Settings) -> Pages | None:
    directory = settings.edge_client_dir
    return None if directory is None else Pages(directory, settings.edge_admin_dir)


def _limits(settings: Settings, bus: Bus) -> Limits:
    of_user = {
        Rate.POLL: settings.edge_rate_poll,
        Rate.READ: settings.edge_rate_read,
        Rate.WRITE: settings.edge_rate_write,
        Rate.COSTLY: settings.edge_rate_costly,
    }
    addresses = Addresses(settings.edge_trusted_proxies)
    return Limits(RateLimiter(bus, bus.clock), addresses, of_user, settings.edge_rate_of_address)


def _handlers(
    state: State,
    about: ServiceApi,
    connection: ConnectionApi,
    broker_sessions: BrokerSessionApi,
    bots: BotApi,
    sessions: SessionsApi,
    market: MarketApi,
    scanner: ScannerApi,
    platform: PlatformApi,
    sign_up: SignUpApi,
) -> dict[Route[Any, Any], Handler]:
    return {
        routes.FRONT: about.front,
        routes.HEALTH: about.health,
        routes.HEALTHZ: about.health,
        routes.READYZ: about.ready,
        routes.CONNECT: connection.connect,
        routes.RECONNECT: connection.reconnect,
        routes.DISCONNECT: connection.disconnect,
        routes.SYNC: connection.sync,
        routes.SIGN_UP: sign_up.create,
        routes.CONNECTION: OfFacts(state, connection.connection),
        routes.BALANCE: OfFacts(state, connection.balance),
        routes.MAKE_BROKER_SESSION: broker_sessions.make,
        routes.VALIDATE_HANDLE: broker_sessions.validate,
        routes.BROKER_SESSION: broker_sessions.session,
        routes.CLOSE_BROKER_SESSION: broker_sessions.close,
        routes.CREDENTIALS: gone.CREDENTIALS,
        routes.STATUS: OfFacts(state, bots.status),
        routes.ACCOUNT_TYPE: bots.choose_account,
        routes.START: bots.start,
        routes.STOP: bots.stop,
        routes.PREVIEW: bots.preview,
        routes.PAUSE: bots.pause,
        routes.RESUME: bots.resume,
        routes.RECONFIGURE: bots.reconfigure,
        routes.RUNTIME_STATUS: bots.runtime_status,
        routes.START_FLAG: gone.START,
        routes.STOP_FLAG: gone.STOP,
        routes.START_SESSION: sessions.start,
        routes.STOP_SESSION: sessions.stop,
        routes.PAUSE_SESSION: sessions.pause,
        routes.RESUME_SESSION: sessions.resume,
        routes.SESSION_STATUS: sessions.status,
        routes.SESSIONS: sessions.sessions,
        routes.BOT_TOTALS: sessions.totals,
        routes.STOP_ALL: sessions.stop_all,
        routes.CLEAN_UP: sessions.clean_up,
        routes.DISCOVER_ASSETS: market.discover,
        routes.ASSETS: market.assets,
        routes.CANDLES: market.candles,
        routes.MARKET_SCANNER: scanner.signals,
        routes.STRATEGY_PERFORMANCE: scanner.performance,
        routes.SCANNER_ACTIVITY: scanner.activity,
        routes.SCANNER_TOP: scanner.top,
        routes.SCANNER_ASSET: scanner.asset,
        routes.COUNT_SCANNER: scanner.count,
        routes.STRATEGIES: bots.strategies,
        routes.PLATFORM: platform.platform,
        routes.SET_PLATFORM: platform.set_platform,
        routes.LIMITS: platform.limits,
        routes.SET_LIMITS: platform.set_limits,
    }


def _web_app(
    gate: Gate,
    once: Once,
    origins: Origins,
    engine: Engine,
    handlers: Mapping[Route[Any, Any], Handler],
    plain: Mapping[Plain, PlainHandler],
    pages: Pages | None,
) -> web.Application:
    middlewares = [identify, cross_origin(origins), answer_in_json, *([pages.front] if pages is not None else [])]
    web_app = web.Application(client_max_size=_MAX_BODY, middlewares=middlewares)
    serve(web_app, gate, once, handlers)
    serve_documents(web_app, handlers, plain, VERSION)
    serve_socket_documents(web_app, VERSION)
    serve_plain(web_app, plain)
    engine.server.attach(web_app)
    if pages is not None:
        pages.serve(web_app)

    async def cut_everybody_off(_: web.Application) -> None:
        await engine.shutdown()

    web_app.on_shutdown.append(cut_everybody_off)
    return web_app


@asynccontextmanager
async def _listening(web_app: web.Application, settings: Settings) -> AsyncIterator[None]:
    runner = Runner(web_app, settings.edge_idle)
    await runner.setup()
    try:
        await listen(runner, settings.edge_host, settings.edge_port, "PREGAO_EDGE_PORT")
        yield
    finally:
        await runner.cleanup()
