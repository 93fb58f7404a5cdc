"""Contacts from files of CSV."""

from libs.bus import Bus
from libs.contracts.crm import imports as rpc
from libs.contracts.crm.common import Of
from services.socket_edge.admin_answers import Data
from services.socket_edge.crm.shape import Done, Handlers, change, done, of_by, read, told
from services.socket_edge.dispatch import Call
from services.socket_edge.requests import Nothing
from services.socket_edge.route import Rate

_ONE = "contacts/import/{id}"
NEW = change("POST", "contacts/import", "Begin an import", Nothing, rpc.NewImport, Done[rpc.Import])
ADD = change(
    "PUT", f"{_ONE}/pieces/{{number}}", "Upload a piece of the file, cut anywhere; from 0 on", rpc.PieceOf,
    rpc.NewPiece, Done[rpc.Import],
)  # fmt: skip
CHECK = change(
    "POST", f"{_ONE}/check", "What it would do, with the first 100 errors and their lines", Of, Nothing,
    Done[rpc.Checked], Rate.COSTLY,
)  # fmt: skip
RUN = change("POST", f"{_ONE}/start", "Work it off in the background", Of, Nothing, Done[rpc.Import], Rate.COSTLY)
IMPORT = read(_ONE, "How far an import is", Of, Data[rpc.Import])
CANCEL = change("DELETE", _ONE, "Stop an import; what was worked off stays", Of, Nothing, Done[rpc.Import])


def handlers(bus: Bus) -> Handlers:
    def new(call: Call[Nothing, rpc.NewImport]) -> rpc.StartImport:
        return rpc.StartImport(by=call.user, wanted=call.body)

    def piece(call: Call[rpc.PieceOf, rpc.NewPiece]) -> rpc.AddPiece:
        return rpc.AddPiece(by=call.user, id=call.query.id, number=call.query.number, text=call.body.text)

    return {
        NEW: done(bus, rpc.START_IMPORT, new, "Import begun"),
        ADD: done(bus, rpc.ADD_PIECE, piece, "Piece uploaded"),
        CHECK: done(bus, rpc.CHECK_IMPORT, of_by, "Nothing was written"),
        RUN: done(bus, rpc.RUN_IMPORT, of_by, "Import started"),
        IMPORT: told(bus, rpc.IMPORT),
        CANCEL: done(bus, rpc.CANCEL_IMPORT, of_by, "Import cancelled"),
    }
