"""`python -m deploy.scaling [--bots N …]`: how many processes it takes, and what happens when all comes at once."""

import argparse
import math

from deploy.scaling.capacity import Demand, needs, rows_a_day
from deploy.scaling.simulation import burst, reconnect


def table(demand: Demand) -> str:
    """In Markdown."""
    lines = ["| Service | Processes | |", "|---|---|---|"]
    lines += [f"| {need.what} | {need.processes} | {need.because} |" for need in needs(demand)]
    lines += ["", f"{rows_a_day(demand) / 1e6:.1f} million rows of `trade_history` a day."]
    return "\n".join(lines)


def bursts(demand: Demand) -> str:
    orders = int(demand.bots * demand.speaking)
    of = {need.what: need.processes for need in needs(demand)}
    lines = ["| Orders at once | bots | gateways | written down, p99 | sent, p99 |", "|---|---|---|---|---|"]
    for factor in (1, 4, 16):
        runtimes, gateways = min(of["bots"] * factor, 16), of["gateway"] * factor
        told = burst(orders * factor, runtimes, gateways)
        lines.append(
            f"| {orders * factor:,} | {runtimes} | {gateways} | {told.written_p99 * 1e3:.0f} ms | "
            f"{told.accepted_p99 * 1e3:.0f} ms |"
        )
    return "\n".join(lines)


def returns() -> str:
    lines = ["| Sockets of one edge | back (99 %) after | tries of each |", "|---|---|---|"]
    for sockets in (2_000, 8_000, 12_000, 25_000):
        told = reconnect(sockets)
        after = "never" if math.isinf(told.within) else f"{told.within:.0f} s"
        lines.append(f"| {sockets:,} | {after} | {told.tries:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="scaling")
    for name in ("users", "bots", "sockets"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Demand(), name))
    chosen = parser.parse_args()
    demand = Demand(users=chosen.users, bots=chosen.bots, sockets=chosen.sockets)
    print("\n\n".join([table(demand), bursts(demand), returns()]))


if __name__ == "__main__":
    main()
