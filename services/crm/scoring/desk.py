"""Scoring rules as administrators read and change them."""

from typing import Any

from libs.contracts.admin import Rows
from libs.contracts.clock import Clock
from libs.contracts.crm import scoring as rpc
from libs.contracts.crm.common import Gone, Of, OfBy
from libs.contracts.rpc import Nothing
from libs.store.crm.scoring import Scoring
from services.crm.answering import Answer, not_found


class ScoringDesk:
    """Raises RpcError: NOT_FOUND."""

    def __init__(self, scoring: Scoring, clock: Clock) -> None:
        self._scoring = scoring
        self._clock = clock

    def endpoints(self) -> dict[Any, Answer]:
        return {
            rpc.RULES: self.rules,
            rpc.MAKE_RULE: self.make,
            rpc.CHANGE_RULE: self.change,
            rpc.DROP_RULE: self.drop,
            rpc.SCORES: self.scores,
            rpc.THRESHOLDS: self.thresholds,
            rpc.SET_THRESHOLDS: self.set_thresholds,
        }

    async def rules(self, _: Nothing) -> Rows[rpc.ScoringRule]:
        rules = tuple(await self._scoring.rules())
        return Rows(rows=rules, total=len(rules))

    async def make(self, request: rpc.MakeRule) -> rpc.ScoringRule:
        return await self._scoring.make(request.rule)

    async def change(self, request: rpc.ChangeRule) -> rpc.ScoringRule:
        changed = await self._scoring.change(request.id, request.rule, self._clock.now().isoformat())
        if changed is None:
            raise not_found("scoring rule")
        return changed

    async def drop(self, request: OfBy) -> Gone:
        if not await self._scoring.drop(request.id):
            raise not_found("scoring rule")
        return Gone(id=request.id)

    async def scores(self, query: Of) -> rpc.Scores:
        scores = await self._scoring.scores(query.id)
        if scores is None:
            raise not_found("contact")
        return scores

    async def thresholds(self, _: Nothing) -> rpc.Thresholds:
        return rpc.Thresholds(scores=await self._scoring.thresholds())

    async def set_thresholds(self, request: rpc.SetThresholds) -> rpc.Thresholds:
        await self._scoring.set_thresholds(request.scores)
        return rpc.Thresholds(scores=await self._scoring.thresholds())
