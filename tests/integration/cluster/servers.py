"""Three real nats-servers with the files of deploy/nats, on this machine: what changes is where they listen and where
they write, and that the wires between them can be cut."""

import asyncio
import os
import signal
import subprocess
from contextlib import suppress
from itertools import cycle, permutations
from pathlib import Path

import aiohttp

from deploy.compose.environment import password_variable
from deploy.local.nats import server_path
from deploy.nats.users import FILE
from libs.bus import Bus
from libs.bus.permissions import ADMIN, SERVICES
from libs.bus.topology import Storage
from libs.contracts.clock import SystemClock
from tests.integration.cluster import certificates
from tests.integration.cluster.wire import Wire
from tests.ports import free_port

NODES = (0, 1, 2)
PASSWORDS = {user: f"p-{user}-secret-of-tests" for user in (*SERVICES, ADMIN, "sys")}
_PATIENCE = 60.0


class Cluster:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ports = {name: [free_port() for _ in NODES] for name in ("client", "monitor", "route")}
        self._wires = {
            (one, other): Wire(free_port(), self._ports["route"][other]) for one, other in permutations(NODES, 2)
        }
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._firsts = cycle(NODES)
        certificates.write(directory / "tls")
        for node in NODES:
            self._write(node)

    @property
    def ca_file(self) -> Path:
        return self._directory / "tls" / "ca.crt"

    def url(self, first: int = 0, servers: int = len(NODES)) -> str:
        """Of so many, the `first` to be tried first."""
        order = [(first + number) % len(NODES) for number in range(servers)]
        return ",".join(f"tls://127.0.0.1:{self._ports['client'][node]}" for node in order)

    async def start(self) -> None:
        for wire in self._wires.values():
            await wire.mend()
        for node in NODES:
            self.launch(node)
        await asyncio.gather(*(self.healthy(node) for node in NODES))

    async def end(self) -> None:
        for node in list(self._processes):
            self.kill(node)
        for wire in self._wires.values():
            await wire.cut()

    def launch(self, node: int) -> None:
        with (self._folder(node) / "log").open("ab") as log:
            told = {password_variable(user): password for user, password in PASSWORDS.items()}
            told |= {f"NATS_ROUTE_{each + 1}": self._route(node, each) for each in NODES}
            told |= {"NATS_SERVER_NAME": f"nats-{node}", "NATS_MAX_FILE_STORE": "16GB", "NATS_SYNC_INTERVAL": "120s"}
            command = [str(server_path()), "-c", str(self._folder(node) / "cluster-tls.conf")]
            self._processes[node] = subprocess.Popen(command, env=os.environ | told, stdout=log, stderr=log)

    def kill(self, node: int) -> None:
        process = self._processes.pop(node)
        process.kill()
        process.wait(timeout=10)

    async def stop(self, node: int) -> None:
        """As a deployment stops it."""
        process = self._processes.pop(node)
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 40)

    async def isolate(self, node: int) -> None:
        """The others do not reach it, nor it them; clients reach all."""
        for ends, wire in self._wires.items():
            if node in ends:
                await wire.cut()

    async def mend(self) -> None:
        for wire in self._wires.values():
            await wire.mend()

    async def healthy(self, node: int) -> None:
        """Returns when it has caught up with what it keeps."""
        url = f"http://127.0.0.1:{self._ports['monitor'][node]}/healthz"
        async with asyncio.timeout(_PATIENCE), aiohttp.ClientSession() as http:
            while True:
                with suppress(aiohttp.ClientError):
                    async with http.get(url) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def connect(
        self, user: str, first: int = 0, instance: str = "one", servers: int = len(NODES), replicas: int | None = 3
    ) -> Bus:
        return await Bus.connect(
            self.url(first, servers), user, PASSWORDS[user], service=user, instance=instance, clock=SystemClock(),
            storage=Storage(replicas=replicas), ca_file=self.ca_file,
        )  # fmt: skip

    def environment(self, user: str) -> dict[str, str]:
        """The settings that make a service process use it, any server of it first."""
        return {
            "PREGAO_NATS_URL": self.url(next(self._firsts)),
            "PREGAO_NATS_USER": user,
            "PREGAO_NATS_PASSWORD": PASSWORDS[user],
            "PREGAO_NATS_CA_FILE": str(self.ca_file),
            "PREGAO_NATS_REPLICAS": "3",
        }

    def _route(self, node: int, other: int) -> str:
        """By a wire; the server knows itself when it meets itself."""
        port = self._ports["route"][node] if node == other else self._wires[node, other].port
        return f"nats://127.0.0.1:{port}"

    def _folder(self, node: int) -> Path:
        return self._directory / f"nats-{node}"

    def _write(self, node: int) -> None:
        folder = self._folder(node)
        folder.mkdir()
        for file in FILE.parent.glob("*.conf"):
            text = file.read_text()
            for said, here in self._changes(node).items():
                text = text.replace(said, here)
            (folder / file.name).write_text(text)

    def _changes(self, node: int) -> dict[str, str]:
        ports = {name: of[node] for name, of in self._ports.items()}
        return {
            '"0.0.0.0:4222"': f'"127.0.0.1:{ports["client"]}"',
            '"0.0.0.0:8222"': f'"127.0.0.1:{ports["monitor"]}"',
            # Nobody is told of a way around the wires.
            'listen: "0.0.0.0:6222"': f'listen: "127.0.0.1:{ports["route"]}"\n  advertise: "127.0.0.1:1"',
            "store_dir: /data": f'store_dir: "{self._folder(node)}/data"',
            "/tls/": f"{self._directory}/tls/",
        }
