"""The CRM in numbers (api-contract §3.17)."""

from datetime import datetime

from libs.contracts.codec import Message
from libs.contracts.rpc import Endpoint, Nothing


class CrmStats(Message, frozen=True, kw_only=True):
    at: datetime
    contacts: int
    leads: int = 0
    prospects: int = 0
    customers: int = 0
    inactive: int = 0
    churned: int = 0
    segments: int = 0
    """Active ones, as are…"""
    workflows: int = 0
    """…these."""
    campaigns: int = 0
    """Scheduled or being sent."""
    templates: int = 0
    mails: int = 0
    """Sent in 30 days."""


CRM_STATS = Endpoint("crm", "stats", Nothing, CrmStats)
