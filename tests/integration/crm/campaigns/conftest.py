"""Campaigns of one test."""

import pytest

from tests.integration.crm.campaigns.books import Books
from tests.integration.postgres_server import PostgresServer


@pytest.fixture
def books(postgres: PostgresServer) -> Books:
    """Nothing waits that others have queued."""
    books = Books(postgres)
    books.ask("delete from public.crm_mail_out; delete from public.crm_mail_pace; delete from public.crm_campaigns")
    return books
