"""Bringing the books in line with the file of accounts, at every start.

Names, e-mail addresses, passwords and tokens are afterwards what the file says. Money is only ever added: a balance
that is there keeps its amount, so a restart changes nothing.
"""

from services.paper_broker.accounts import Accounts, EmailTaken
from services.paper_broker.broker import Broker
from services.paper_broker.passwords import digest
from services.paper_broker.past import deepen
from services.paper_broker.seed_file import BadSeed, SeedAccount, SeedFile
from services.paper_broker.storage import Storage


def sow(seed: SeedFile, storage: Storage, broker: Broker) -> None:
    """All of it or nothing. Raises BadSeed when an address is another user's, or a past cannot be made."""
    accounts = broker.accounts
    with storage.transaction():
        for account in seed.accounts:
            _open(account, accounts)
            accounts.forget_address(account.id)
        for number, account in enumerate(seed.accounts):
            try:
                accounts.describe(account.id, account.person)
            except EmailTaken as error:
                raise BadSeed(f"accounts[{number}].email: {error}") from error
            accounts.change_password(account.id, digest(account.password) if account.password else None)
        for number, account in enumerate(seed.accounts):
            try:
                for instrument_type, count in account.closed_positions.items():
                    deepen(account.id, instrument_type, count, broker)
            except BadSeed as error:
                raise BadSeed(f"accounts[{number}].closed_positions: {error}") from error
    broker.sessions.seed((each.access_token, each.id) for each in seed.accounts if each.access_token is not None)
    broker.oauth.seed((each.refresh_token, each.id) for each in seed.accounts if each.refresh_token is not None)


def _open(account: SeedAccount, accounts: Accounts) -> None:
    openings = [balance.opening for balance in account.balances]
    if not accounts.exists(account.id):
        accounts.add(account.id, openings)
        return
    for opening in openings:
        accounts.open(account.id, opening)
