"""Repositories over Supabase: the only place that names tables and columns."""

from libs.store.database import Database
from libs.store.errors import StoreError, StoreRefused, StoreUnavailable

__all__ = ["Database", "StoreError", "StoreRefused", "StoreUnavailable"]
