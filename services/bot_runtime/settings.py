"""Settings of the bot runtime."""

from pydantic import DirectoryPath, Field

from libs.service.settings import Port, ServiceSettings


class Settings(ServiceSettings):
    health_port: Port = 4102
    """Where /health and /metrics listen."""
    real_accounts: bool = False
    """Whether bots may trade with real money on this deployment."""
    order_lifetime: float = Field(default=5.0, gt=0, le=30)
    """Seconds after the decision in which an order may be sent to the broker; at most what is left of the lease."""
    lease_seconds: int = Field(default=3, ge=2, le=60)
    """How long a process that stopped answering keeps its bots before another takes them over."""
    strategies_dir: DirectoryPath | None = None
    """Directory of users' own strategies, a Python file each (libs/strategies/README.md); read at the start."""
    scanner: bool = True
    """Whether this process scans the market when no other one does."""
