"""From a frame to its answer: exactly one for every request, errors included (quadcode-protocol §3)."""

import asyncio

import msgspec
import structlog

from services.paper_broker import wire
from services.paper_broker.broker import Broker, Caller, Reply, acknowledged
from services.paper_broker.errors import Refused, Status
from services.paper_broker.faults import DelayReply, DropBeforeReply, RefuseLogin, SwallowReply, refuse
from services.paper_broker.hub import Connection
from services.paper_broker.requests import answer
from services.paper_broker.sessions import Session
from services.paper_broker.topics import topic

log = structlog.get_logger()


class Dispatcher:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def handle(self, connection: Connection, data: bytes) -> None:
        """Never raises for what a client sends."""
        request_id = ""
        try:
            frame = wire.decode(data, wire.ClientFrame)
            request_id = str(frame.request_id)
            if frame.name == "authenticate":
                self._authenticate(connection, request_id, frame.msg)
                return
            self._send(connection, request_id, self._reply(connection, frame))
        except Refused as refused:
            connection.send(wire.reply(request_id, "error", refused.status, refused.details))
        except Exception:
            log.exception("request_failed")
            connection.send(wire.reply(request_id, "error", Status.INTERNAL, {"message": "internal error"}))

    def _reply(self, connection: Connection, frame: wire.ClientFrame) -> Reply:
        if connection.session is None:
            raise Refused(Status.UNAUTHENTICATED, "authenticate first")
        caller = Caller(connection.session.user_id, connection)
        match frame.name:
            case "sendMessage":
                return self._answer(caller, wire.decode(frame.msg, wire.Call))
            case "subscribeMessage":
                subscription = wire.decode(frame.msg, wire.Subscription)
                self._broker.hub.subscribe(connection, topic(subscription, caller.user_id, self._broker.catalogue))
                return acknowledged()
            case "unsubscribeMessage":
                subscription = wire.decode(frame.msg, wire.Subscription)
                self._broker.hub.unsubscribe(connection, topic(subscription, caller.user_id, self._broker.catalogue))
                return acknowledged()
            case "setOptions":
                return acknowledged()
            case _:
                raise Refused(Status.UNKNOWN_MESSAGE, f"unknown frame {frame.name}")

    def _answer(self, caller: Caller, call: wire.Call) -> Reply:
        """What was asked is done in full, whatever a fault does to the reply."""
        fault = self._broker.faults.request(caller.user_id, call.name)
        refuse(fault)
        reply = answer(self._broker, caller, call)
        if isinstance(fault, DropBeforeReply):
            self._broker.hub.drop(caller.user_id)
        return reply._replace(
            delay=fault.seconds if isinstance(fault, DelayReply) else reply.delay,
            lost=reply.lost or isinstance(fault, SwallowReply | DropBeforeReply),
        )

    def _authenticate(self, connection: Connection, request_id: str, msg: msgspec.Raw) -> None:
        """Always answered by true or false. A connection keeps its user, who may show a newer session id."""
        session = self._session(msg)
        if session is not None and connection.session is not None and connection.session.user_id != session.user_id:
            session = None
        if session is not None and self._broker.faults.take(session.user_id, RefuseLogin):
            session = None
        connection.send(wire.authenticated(request_id, session is not None))
        if session is not None:
            connection.session = session
            connection.send(wire.time_sync(self._broker.now()))

    def _session(self, msg: msgspec.Raw) -> Session | None:
        try:
            return self._broker.sessions.find(wire.decode(msg, wire.Authentication).ssid)
        except Refused:
            return None

    def _send(self, connection: Connection, request_id: str, reply: Reply) -> None:
        if reply.lost:
            return
        frame = wire.reply(request_id, reply.name, Status.OK, reply.msg)

        def deliver() -> None:
            connection.send(frame)
            if reply.opens is not None:
                connection.listed.add(reply.opens)

        if reply.delay:
            asyncio.get_running_loop().call_later(self._broker.waiting(reply.delay), deliver)
        else:
            deliver()
