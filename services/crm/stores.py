"""What the parts of the CRM keep in the database; what sends keeps is put together there."""

from dataclasses import dataclass
from typing import Self

from libs.store import Database
from libs.store.crm.campaigns import Campaigns
from libs.store.crm.contacts import Contacts, CustomFields
from libs.store.crm.forms import Forms
from libs.store.crm.imports import Imports
from libs.store.crm.outbox import OutboxRows
from libs.store.crm.privacy import Privacy
from libs.store.crm.runs import Runs
from libs.store.crm.scoring import Scoring
from libs.store.crm.segments import Segments
from libs.store.crm.templates import Templates
from libs.store.crm.users import CrmUsers
from libs.store.crm.workflows import Workflows


@dataclass(frozen=True, slots=True)
class Stores:
    campaigns: Campaigns
    contacts: Contacts
    fields: CustomFields
    forms: Forms
    imports: Imports
    outbox: OutboxRows
    privacy: Privacy
    runs: Runs
    scoring: Scoring
    segments: Segments
    templates: Templates
    users: CrmUsers
    workflows: Workflows

    @classmethod
    def over(cls, database: Database) -> Self:
        return cls(
            campaigns=Campaigns(database),
            contacts=Contacts(database),
            fields=CustomFields(database),
            forms=Forms(database),
            imports=Imports(database),
            outbox=OutboxRows(database),
            privacy=Privacy(database),
            runs=Runs(database),
            scoring=Scoring(database),
            segments=Segments(database),
            templates=Templates(database),
            users=CrmUsers(database),
            workflows=Workflows(database),
        )
