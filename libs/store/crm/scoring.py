"""Scoring rules and the ledger of points."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import msgspec

from libs.contracts.crm.events import CrmEvent
from libs.contracts.crm.scoring import NewScoringRule, Scores, ScoringRule
from libs.store.database import Database
from libs.store.rows import read_optional, read_rows, read_value

_TABLE = "crm_scoring_rules"


class _Threshold(msgspec.Struct, frozen=True):
    score: int


class Scoring:
    """Every method raises StoreError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rules(self) -> list[ScoringRule]:
        query = self._database.client.table(_TABLE).select("*").order("created_at").limit(1000)
        return read_rows(await self._database.execute(query, _TABLE), ScoringRule)

    async def make(self, rule: NewScoringRule) -> ScoringRule:
        query = self._database.client.table(_TABLE).insert(_row(rule))
        return read_rows(await self._database.execute(query, _TABLE), ScoringRule)[0]

    async def change(self, id: UUID, rule: NewScoringRule, at: str) -> ScoringRule | None:
        query = self._database.client.table(_TABLE).update({**_row(rule), "updated_at": at}).eq("id", str(id))
        return next(iter(read_rows(await self._database.execute(query, _TABLE), ScoringRule)), None)

    async def drop(self, id: UUID) -> bool:
        """Its points stay. False: there is none."""
        query = self._database.client.table(_TABLE).delete().eq("id", str(id))
        return bool(await self._database.execute(query, _TABLE))

    async def scores(self, contact: UUID) -> Scores | None:
        """None: there is no such contact."""
        return read_optional(await self._database.call("crm_scores_of", contact=str(contact)), Scores)

    async def score(self, events: Iterable[CrmEvent]) -> int:
        """Give the points that rules say, once; how many contacts have another score now."""
        told_of = [msgspec.to_builtins(event) for event in events]
        return read_value(await self._database.call("crm_score", events=told_of), int)

    async def settle(self, most: int) -> int:
        """Write what decayed meanwhile; of how many contacts."""
        return read_value(await self._database.call("crm_settle_scores", at_most=most), int)

    async def thresholds(self) -> tuple[int, ...]:
        query = self._database.client.table("crm_score_thresholds").select("score").order("score")
        return tuple(row.score for row in read_rows(await self._database.execute(query, "thresholds"), _Threshold))

    async def set_thresholds(self, scores: tuple[int, ...]) -> None:
        await self._database.call("crm_set_thresholds", scores=list(scores))


def _row(rule: NewScoringRule) -> Mapping[str, Any]:
    row: dict[str, Any] = msgspec.to_builtins(rule)
    return row
