"""Campaigns."""

from libs.bus import Bus
from libs.contracts.crm import campaigns as rpc
from libs.contracts.crm.common import Gone, Of
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import Done, Handlers, Listed, change, done, listed, of_by, read, told
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing
from services.socket_edge.route import Access, Rate, Route

_ONE = "campaigns/{id}"
_CHANGE = "Change a campaign that has not started"
CAMPAIGNS = read("campaigns", "Campaigns", rpc.CampaignsQuery, Listed[rpc.Campaign])
CREATE = change("POST", "campaigns", "Make a campaign", Nothing, rpc.NewCampaign, Done[rpc.Campaign])
CAMPAIGN = read(_ONE, "A campaign", Of, Data[rpc.Campaign])
REPLACE = change("PUT", _ONE, _CHANGE, Of, rpc.CampaignChange, Done[rpc.Campaign])
CHANGE = change("PATCH", _ONE, _CHANGE, Of, rpc.CampaignChange, Done[rpc.Campaign])
DROP = change("DELETE", _ONE, "Drop a campaign that is not under way", Of, Nothing, Done[Gone])
SCHEDULE = change("POST", f"{_ONE}/schedule", "Start it at a time", Of, rpc.Schedule, Done[rpc.Campaign])
SEND = change("POST", f"{_ONE}/send", "Start it now", Of, Nothing, Done[rpc.Campaign], Rate.COSTLY)
PAUSE = change("POST", f"{_ONE}/pause", "Hold what is not sent yet", Of, Nothing, Done[rpc.Campaign])
RESUME = change("POST", f"{_ONE}/resume", "Go on with it", Of, Nothing, Done[rpc.Campaign])
CANCEL = change("POST", f"{_ONE}/cancel", "Send no more of it, ever", Of, Nothing, Done[rpc.Campaign])
CHOOSE = change("POST", f"{_ONE}/winner", "Say which subject the others get", Of, rpc.Choice, Done[rpc.Campaign])
STATS = read(f"{_ONE}/stats", "How far it is and what came of it, counted now", Of, Data[rpc.CampaignStats])
PREFLIGHT = Route(
    "GET", f"/api/crm/{_ONE}/preflight", "Whom it would reach now, and what is not known of them", Of, Nothing,
    (Data[rpc.Preflight],), Access.ADMIN, Rate.COSTLY,
)  # fmt: skip
RECIPIENTS = read(f"{_ONE}/recipients", "Whom it is for", rpc.RecipientsQuery, Listed[rpc.Recipient])


def handlers(bus: Bus) -> Handlers:
    def created(call: Call[Nothing, rpc.NewCampaign]) -> rpc.CreateCampaign:
        return rpc.CreateCampaign(by=call.user, campaign=call.body)

    def changed(call: Call[Of, rpc.CampaignChange]) -> rpc.ChangeCampaign:
        return rpc.ChangeCampaign(by=call.user, id=call.query.id, change=call.body)

    def scheduled(call: Call[Of, rpc.Schedule]) -> rpc.ScheduleCampaign:
        return rpc.ScheduleCampaign(by=call.user, id=call.query.id, schedule=call.body)

    def chosen(call: Call[Of, rpc.Choice]) -> rpc.ChooseSubject:
        return rpc.ChooseSubject(by=call.user, id=call.query.id, subject=call.body.subject)

    return {
        CAMPAIGNS: listed(bus, rpc.CAMPAIGNS),
        CREATE: done(bus, rpc.CREATE_CAMPAIGN, created, "Campaign created"),
        CAMPAIGN: told(bus, rpc.CAMPAIGN),
        REPLACE: done(bus, rpc.CHANGE_CAMPAIGN, changed, "Campaign changed"),
        CHANGE: done(bus, rpc.CHANGE_CAMPAIGN, changed, "Campaign changed"),
        DROP: done(bus, rpc.DROP_CAMPAIGN, of_by, "Campaign dropped"),
        SCHEDULE: done(bus, rpc.SCHEDULE_CAMPAIGN, scheduled, "Campaign scheduled"),
        SEND: done(bus, rpc.SEND_CAMPAIGN, of_by, "Campaign started"),
        PAUSE: done(bus, rpc.PAUSE_CAMPAIGN, of_by, "Campaign paused"),
        RESUME: done(bus, rpc.RESUME_CAMPAIGN, of_by, "Campaign goes on"),
        CANCEL: done(bus, rpc.CANCEL_CAMPAIGN, of_by, "Campaign cancelled"),
        CHOOSE: done(bus, rpc.CHOOSE_SUBJECT, chosen, "Subject chosen"),
        STATS: told(bus, rpc.CAMPAIGN_STATS),
        PREFLIGHT: told(bus, rpc.PREFLIGHT),
        RECIPIENTS: listed(bus, rpc.RECIPIENTS),
    }
