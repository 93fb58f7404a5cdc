"""`python -m deploy.backup make DIRECTORY`, `… restore DIRECTORY`: docs/operations.md, "Backup and restore".

As the NATS user `admin` (`PREGAO_NATS_URL`, `…_USER`, `…_PASSWORD`, `…_CA_FILE`); with `PREGAO_DATABASE_URL` the
database as well. Exit codes: 0 done, 1 not, with one line that says why, 2 bad settings.
"""

import argparse
import asyncio
import ssl
import sys
from pathlib import Path

import nats
from pydantic import PostgresDsn

from deploy.backup.archive import Archive
from libs.contracts.clock import SystemClock
from libs.service import CannotStart, ServiceSettings
from libs.service.settings import load


class BackupSettings(ServiceSettings):
    database_url: PostgresDsn | None = None
    """Of a role that may read and make everything: `supabase_admin` of the Compose file's database."""


async def _run(settings: BackupSettings, chosen: argparse.Namespace) -> list[str]:
    ca_file = settings.nats_ca_file
    client = await nats.connect(
        servers=settings.nats_url.split(","),
        user=settings.nats_user,
        password=settings.nats_password.get_secret_value(),
        tls=None if ca_file is None else ssl.create_default_context(cafile=ca_file),
        inbox_prefix=f"_INBOX_{settings.nats_user}",
        max_reconnect_attempts=3,
    )
    url = None if settings.database_url is None else str(settings.database_url)
    try:
        if chosen.command == "restore":
            return await Archive(chosen.directory).restore(client, url, chosen.replicas)
        now = SystemClock().now()
        archive = Archive(Path(now.strftime(str(chosen.directory))))
        files = await archive.make(client, url, now)
        if chosen.keep is not None:
            archive.forget_older(chosen.keep)
        return files
    finally:
        await client.close()


def _some(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def main() -> int:
    parser = argparse.ArgumentParser(prog="backup", description="Streams, and with PREGAO_DATABASE_URL the database.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, says in {
        "make": "into a new directory, such as backups/%%Y%%m%%dT%%H%%M (in UTC)",
        "restore": "into servers that have none of it",
    }.items():
        command = commands.add_parser(name, help=says)
        command.add_argument("directory", type=Path)
        if name == "make":
            command.add_argument("--keep", type=_some, help="of all beside it, so many; older ones are removed")
        else:
            command.add_argument("--replicas", type=int, help="of each stream; by default as it was")
    chosen = parser.parse_args()
    try:
        settings = load(BackupSettings)
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 2
    try:
        files = asyncio.run(_run(settings, chosen))
    except (CannotStart, OSError, nats.errors.Error) as error:
        print(str(error) or repr(error), file=sys.stderr)
        return 1
    print("\n".join([*files, f"{len(files)} files"]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
