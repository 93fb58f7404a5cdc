import socket
import subprocess
import sys

import pytest

from tests.integration.paper_broker import PaperBroker, StartPaperBroker


async def test_a_busy_port_is_named_with_its_setting(start_paper_broker: StartPaperBroker) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        with pytest.raises(RuntimeError, match=rf"127\.0\.0\.1:{port}.*PREGAO_PAPER_PORT changes the port"):
            await start_paper_broker(PREGAO_PAPER_PORT=port)


async def test_two_cannot_share_a_database(paper_broker: PaperBroker, start_paper_broker: StartPaperBroker) -> None:
    with pytest.raises(RuntimeError, match=r"PREGAO_PAPER_DATABASE: .*locked"):
        await start_paper_broker()


async def test_it_can_do_without_a_file(start_paper_broker: StartPaperBroker) -> None:
    broker = await start_paper_broker(PREGAO_PAPER_DATABASE=":memory:")
    assert await broker.session(1)


def test_help_documents_the_settings() -> None:
    command = [sys.executable, "-m", "services.paper_broker", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert "PREGAO_PAPER_MARKET" in told.stdout
    assert told.stderr == ""


def test_a_missing_token_is_named() -> None:
    command = [sys.executable, "-m", "services.paper_broker"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, env={})
    assert told.returncode == 2
    assert "PREGAO_PAPER_API_TOKEN" in told.stderr
