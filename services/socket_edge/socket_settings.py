from pydantic import Field

from libs.service import ServiceSettings
from services.socket_edge.socket_limits import SocketLimits

_DEFAULT = SocketLimits()


class SocketSettings(ServiceSettings):
    """Limits of Socket.IO; each process counts for itself."""

    edge_socket_budget: int = Field(default=_DEFAULT.budget, ge=64 * 1024)
    """Bytes that may wait for one socket: at half of them it gets no more candles until it has caught up, with all of
    them it is cut off, comes back, and says what it saw last."""
    edge_sockets_per_user: int = Field(default=_DEFAULT.per_user, ge=1)
    """Connections of one user."""
    edge_sockets_per_address: int = Field(default=_DEFAULT.per_address, ge=1)
    """Connections from one address (of IPv6: one /64), logged in or not."""
    edge_feeds_per_socket: int = Field(default=_DEFAULT.feeds, ge=1)
    """Candle feeds that one socket may watch besides its chart."""
    edge_socket_events: int = Field(default=_DEFAULT.events_per_second, ge=1)
    """Events a second that one socket may emit, in a burst twice as many; at ten times as many it is cut off."""
    edge_socket_message: int = Field(default=_DEFAULT.message_size, ge=1024)
    """Bytes of one message of a client."""
    edge_resume_events: int = Field(default=_DEFAULT.resume_events, ge=1, le=_DEFAULT.resume_events)
    """Events that are sent again to a client that comes back; who missed more starts with a snapshot."""
    edge_socket_ping: float = Field(default=_DEFAULT.ping_interval, ge=1.0)
    """Seconds between pings…"""
    edge_socket_ping_timeout: float = Field(default=_DEFAULT.ping_timeout, ge=1.0)
    """…and within which one must be answered, or the connection is cut off."""

    @property
    def socket_limits(self) -> SocketLimits:
        return SocketLimits(
            budget=self.edge_socket_budget,
            per_user=self.edge_sockets_per_user,
            per_address=self.edge_sockets_per_address,
            feeds=self.edge_feeds_per_socket,
            events_per_second=self.edge_socket_events,
            message_size=self.edge_socket_message,
            resume_events=self.edge_resume_events,
            ping_interval=self.edge_socket_ping,
            ping_timeout=self.edge_socket_ping_timeout,
        )
