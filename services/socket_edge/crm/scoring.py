"""Scoring rules, and what a contact was given points for."""

from libs.bus import Bus
from libs.contracts.crm import scoring as rpc
from libs.contracts.crm.common import Gone, Of
from libs.contracts.rpc import Nothing as Empty
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import Done, Handlers, Listed, change, done, list_of, of_by, read, told
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing

_ONE = "scoring-rules/{id}"
RULES = read("scoring-rules", "Scoring rules", Nothing, Listed[rpc.ScoringRule])
MAKE = change("POST", "scoring-rules", "Make a scoring rule", Nothing, rpc.NewScoringRule, Done[rpc.ScoringRule])
CHANGE = change("PUT", _ONE, "Say a scoring rule anew", Of, rpc.NewScoringRule, Done[rpc.ScoringRule])
DROP = change("DELETE", _ONE, "Drop a scoring rule; its points stay", Of, Nothing, Done[Gone])
SCORES = read("contacts/{id}/scores", "What a contact was given points for", Of, Data[rpc.Scores])
THRESHOLDS = read("score-thresholds", "Scores whose crossing is told", Nothing, Data[rpc.Thresholds])
SET_THRESHOLDS = change("PUT", "score-thresholds", "Set them", Nothing, rpc.Thresholds, Done[rpc.Thresholds])


def handlers(bus: Bus) -> Handlers:
    async def rules(_call: Call[Nothing, Nothing]) -> Listed[rpc.ScoringRule]:
        return list_of(await bus.call(rpc.RULES, Empty()))

    async def thresholds(_call: Call[Nothing, Nothing]) -> Data[rpc.Thresholds]:
        return Data(data=await bus.call(rpc.THRESHOLDS, Empty()))

    def made(call: Call[Nothing, rpc.NewScoringRule]) -> rpc.MakeRule:
        return rpc.MakeRule(by=call.user, rule=call.body)

    def changed(call: Call[Of, rpc.NewScoringRule]) -> rpc.ChangeRule:
        return rpc.ChangeRule(by=call.user, id=call.query.id, rule=call.body)

    def set_(call: Call[Nothing, rpc.Thresholds]) -> rpc.SetThresholds:
        return rpc.SetThresholds(by=call.user, scores=call.body.scores)

    return {
        RULES: rules,
        MAKE: done(bus, rpc.MAKE_RULE, made, "Scoring rule made"),
        CHANGE: done(bus, rpc.CHANGE_RULE, changed, "Scoring rule changed"),
        DROP: done(bus, rpc.DROP_RULE, of_by, "Scoring rule dropped"),
        SCORES: told(bus, rpc.SCORES),
        THRESHOLDS: thresholds,
        SET_THRESHOLDS: done(bus, rpc.SET_THRESHOLDS, set_, "Thresholds set"),
    }
