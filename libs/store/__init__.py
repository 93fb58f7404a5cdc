"""Repositories over Supabase: the only place that names tables and columns."""

from libs.store.database import Database
from libs.store.errors import StoreError, StoreRefused, StoreTooSlow, StoreUnavailable

__all__ = ["Database", "StoreError", "StoreRefused", "StoreTooSlow", "StoreUnavailable"]
