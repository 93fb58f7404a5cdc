"""Everything that runs locally, in order:

ports free → secrets → migrations → nats, supabase, paper broker → services → demo user and bot → …
… → services end → nats, supabase, paper broker end
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from deploy.local import facts
from deploy.local.facts import Facts, Nats, PaperBroker
from deploy.local.healthy import wait_healthy
from deploy.local.honcho import running
from deploy.local.nats import configuration
from deploy.local.ownership import owned
from deploy.local.parts import Part, Parts
from deploy.local.ports import require_free
from deploy.local.private_file import write_private
from deploy.local.secrets import Secrets, load_or_create
from deploy.local.seed import Residents, seed
from deploy.local.settings import LocalSettings
from libs.service import CannotStart


@asynccontextmanager
async def stack(settings: LocalSettings, on_failure: Callable[[CannotStart], None]) -> AsyncIterator[Facts]:
    """Entered when the demo user's bot trades; left when no process remains. Raises CannotStart.

    `on_failure` hears when a part ends unasked, at any time; the stack is to be left then.
    """
    directory, timeout = settings.directory, settings.start_timeout
    require_free(settings.ports())
    with owned(directory) as lock:
        facts.remove(directory)
        secrets = load_or_create(directory / "secrets.json")
        parts = Parts(settings, secrets)
        base, services = parts.infrastructure(), parts.services()
        _write_nats_configuration(settings, secrets)
        await parts.supabase.prepare()
        _say(base)
        async with running("infrastructure", base, directory, on_failure, hold=[lock]) as below:
            await wait_healthy(base, timeout, directory)
            _say(services)
            async with running("services", services, directory, on_failure, hold=[lock]) as above:
                await wait_healthy(services, timeout, directory)
                residents = await seed(parts, secrets)
                pids = below.pids() | above.pids()
                told = _facts(settings, parts, secrets, residents, pids, [*base, *services])
                facts.write(told, directory)
                try:
                    yield told
                finally:
                    facts.remove(directory)


def _say(parts: tuple[Part, ...]) -> None:
    print(f"Starting {', '.join(part.name for part in parts)} …", flush=True)


def _write_nats_configuration(settings: LocalSettings, secrets: Secrets) -> None:
    text = configuration(
        port=settings.nats_port,
        monitor_port=settings.nats_monitor_port,
        store=settings.directory / "nats",
        passwords=secrets.nats,
    )
    write_private(settings.directory / "nats.conf", text)


def _facts(
    settings: LocalSettings,
    parts: Parts,
    secrets: Secrets,
    residents: Residents,
    pids: Mapping[str, int],
    all_parts: list[Part],
) -> Facts:
    return Facts(
        edge_url=parts.edge_url,
        supabase_url=parts.supabase.url,
        supabase_publishable_key=secrets.supabase_publishable_key,
        supabase_secret_key=secrets.supabase_secret_key,
        supabase_jwt_secret=secrets.supabase_jwt_secret,
        demo=residents.demo,
        admin=residents.admin,
        nats=Nats(
            url=parts.nats_url, monitor_url=f"http://127.0.0.1:{settings.nats_monitor_port}", users=dict(secrets.nats)
        ),
        paper_broker=PaperBroker(
            ws_url=parts.broker_ws_url,
            session_url=parts.broker_session_url,
            control_url=parts.broker_control_url,
            api_token=secrets.broker_api_token,
        ),
        mail_url=parts.mail_url,
        health={part.name: part.health for part in all_parts},
        logs=str(settings.directory / "logs"),
        pids={part.name: pids[part.name] for part in all_parts},
    )
