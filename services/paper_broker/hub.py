"""Who is connected and who listens to what. An event is encoded once, and the same bytes go to every listener."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple

import structlog

from services.paper_broker.outbox import Outbox, Overflow
from services.paper_broker.sessions import Session

log = structlog.get_logger()


class Topic(NamedTuple):
    """An event and what its subscription filters by; a listener of a topic gets each of its events once."""

    event: str
    filters: tuple[int | str, ...] = ()


class Connection:
    def __init__(self, outbox: Outbox, abort: Callable[[], None], since: int) -> None:
        """`abort` ends the transport at once; `since` in epoch milliseconds."""
        self.since = since
        self.session: Session | None = None
        self.topics: set[Topic] = set()
        self.listed: set[Topic] = set()
        """Topics of changes to lists that it has."""
        self._outbox = outbox
        self._abort = abort
        self._gone = False

    def send(self, frame: bytes) -> None:
        if self._gone:
            return
        try:
            self._outbox.put(frame)
        except Overflow:
            log.warning("slow_reader_dropped", broker_user=self.session and self.session.user_id)
            self.drop()

    def send_latest(self, key: Hashable, frame: bytes) -> None:
        self._outbox.put_latest(key, frame)

    def stall(self) -> None:
        self._outbox.stall()

    def resume(self) -> None:
        self._outbox.resume()

    def drop(self) -> None:
        """Without a closing handshake; what still waits is lost."""
        self._gone = True
        self._outbox.resume()  # nobody must wait on a connection that has ended
        self._abort()


class Hub:
    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._listeners: defaultdict[str, dict[Topic, set[Connection]]] = defaultdict(dict)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._connections))

    def join(self, connection: Connection) -> None:
        self._connections.add(connection)

    def leave(self, connection: Connection) -> None:
        self._connections.discard(connection)
        for topic in tuple(connection.topics):
            self.unsubscribe(connection, topic)

    def subscribe(self, connection: Connection, topic: Topic) -> None:
        connection.topics.add(topic)
        self._listeners[topic.event].setdefault(topic, set()).add(connection)

    def unsubscribe(self, connection: Connection, topic: Topic) -> None:
        connection.topics.discard(topic)
        listeners = self._listeners[topic.event].get(topic, set())
        listeners.discard(connection)
        if not listeners:
            self._listeners[topic.event].pop(topic, None)

    def topics(self, event: str) -> list[Topic]:
        """Those of an event that somebody listens to."""
        return list(self._listeners[event])

    def publish(self, topic: Topic, frame: bytes) -> None:
        for connection in self._listeners[topic.event].get(topic, ()):
            connection.send(frame)

    def publish_listed(self, topic: Topic, frame: bytes) -> None:
        """To those who have the list it changes: for others clients are not prepared (pitfall P1)."""
        for connection in self._listeners[topic.event].get(topic, ()):
            if topic in connection.listed:
                connection.send(frame)

    def publish_latest(self, topic: Topic, frame: bytes) -> None:
        """For events of which only the newest matters."""
        for connection in self._listeners[topic.event].get(topic, ()):
            connection.send_latest(topic, frame)

    def drop(self, user_id: int) -> int:
        """End all connections of a user; how many there were."""
        theirs = self.of(user_id)
        for connection in theirs:
            connection.drop()
        return len(theirs)

    def of(self, user_id: int) -> list[Connection]:
        """All connections of a user."""
        return [each for each in self if each.session is not None and each.session.user_id == user_id]
