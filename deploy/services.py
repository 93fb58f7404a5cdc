"""The services that are deployed: by short name, which is also their NATS user's, the package and its settings."""

from dataclasses import dataclass

from pydantic_settings import BaseSettings

from services.analytics.settings import Settings as Analytics
from services.bot_runtime.settings import Settings as BotRuntime
from services.broker_gateway.settings import Settings as BrokerGateway
from services.crm.settings import Settings as Crm
from services.paper_broker.settings import Settings as PaperBroker
from services.socket_edge.settings import Settings as SocketEdge


@dataclass(frozen=True, slots=True)
class Deployed:
    package: str
    settings: type[BaseSettings]


SERVICES = {
    "gateway": Deployed("services.broker_gateway", BrokerGateway),
    "bots": Deployed("services.bot_runtime", BotRuntime),
    "analytics": Deployed("services.analytics", Analytics),
    "crm": Deployed("services.crm", Crm),
    "edge": Deployed("services.socket_edge", SocketEdge),
    "paper-broker": Deployed("services.paper_broker", PaperBroker),
}

HEALTH_PORT = 4100
"""Of every container: each is alone in its own."""
OWN = "instance"
"""The setting that differs between replicas: it is left to be found out, or told by the pod's name."""
