"""Templates."""

from libs.bus import Bus
from libs.contracts.crm import templates as rpc
from libs.contracts.crm.common import Gone, Of
from libs.contracts.rpc import Nothing as Empty
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import Done, Handlers, Listed, change, done, list_of, listed, of_by, read, told
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing
from services.socket_edge.route import Rate

_ONE = "templates/{id}"
TEMPLATES = read("templates", "Templates", rpc.TemplatesQuery, Listed[rpc.Template])
CREATE = change("POST", "templates", "Make a template", Nothing, rpc.NewTemplate, Done[rpc.WholeTemplate])
MERGE_TAGS = read("templates/tags", "What tags may say, for the editor", Nothing, Listed[rpc.MergeTag])
TEMPLATE = read(_ONE, "A template, as of its newest version", Of, Data[rpc.WholeTemplate])
REPLACE = change("PUT", _ONE, "Write a new version", Of, rpc.TemplateChange, Done[rpc.WholeTemplate])
CHANGE = change("PATCH", _ONE, "Write a new version", Of, rpc.TemplateChange, Done[rpc.WholeTemplate])
DROP = change("DELETE", _ONE, "Drop a template that nothing uses", Of, Nothing, Done[Gone])
VERSIONS = read(f"{_ONE}/versions", "Its versions, the newest first", Of, Listed[rpc.TemplateVersion])
COPY = change("POST", f"{_ONE}/duplicate", "Make another one like it", Of, Nothing, Done[rpc.WholeTemplate])
RENDER = change(
    "POST", f"{_ONE}/render", "The mail that somebody would get; nothing is sent", Of, rpc.RenderWanted,
    Data[rpc.Rendered], Rate.COSTLY,
)  # fmt: skip
TRY = change(
    "POST", f"{_ONE}/test", "Send it to an administrator's own address", Of, rpc.TrialWanted, Done[rpc.TrialSent],
    Rate.COSTLY,
)  # fmt: skip


def handlers(bus: Bus) -> Handlers:
    async def merge_tags(_call: Call[Nothing, Nothing]) -> Listed[rpc.MergeTag]:
        return list_of(await bus.call(rpc.MERGE_TAGS, Empty()))

    async def render(call: Call[Of, rpc.RenderWanted]) -> Data[rpc.Rendered]:
        wanted = rpc.RenderTemplate(by=call.user, id=call.query.id, wanted=call.body)
        return Data(data=await bus.call(rpc.RENDER_TEMPLATE, wanted))

    def tried(call: Call[Of, rpc.TrialWanted]) -> rpc.TryTemplate:
        return rpc.TryTemplate(by=call.user, id=call.query.id, wanted=call.body)

    def created(call: Call[Nothing, rpc.NewTemplate]) -> rpc.CreateTemplate:
        return rpc.CreateTemplate(by=call.user, template=call.body)

    def changed(call: Call[Of, rpc.TemplateChange]) -> rpc.ChangeTemplate:
        return rpc.ChangeTemplate(by=call.user, id=call.query.id, change=call.body)

    return {
        TEMPLATES: listed(bus, rpc.TEMPLATES),
        CREATE: done(bus, rpc.CREATE_TEMPLATE, created, "Template created"),
        MERGE_TAGS: merge_tags,
        TEMPLATE: told(bus, rpc.TEMPLATE),
        REPLACE: done(bus, rpc.CHANGE_TEMPLATE, changed, "Template changed"),
        CHANGE: done(bus, rpc.CHANGE_TEMPLATE, changed, "Template changed"),
        DROP: done(bus, rpc.DROP_TEMPLATE, of_by, "Template dropped"),
        VERSIONS: listed(bus, rpc.VERSIONS),
        COPY: done(bus, rpc.COPY_TEMPLATE, of_by, "Template duplicated"),
        RENDER: render,
        TRY: done(bus, rpc.TRY_TEMPLATE, tried, "Test mail sent"),
    }
