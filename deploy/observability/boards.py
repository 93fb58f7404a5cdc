"""The dashboards: what is shown, in which unit, from which metrics."""

from dataclasses import dataclass

RATE = "[$__rate_interval]"


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    unit: str
    """Grafana's name of it: `short`, `s`, `bytes`, `ops`, `percentunit`."""
    queries: tuple[tuple[str, str], ...]
    """PromQL, and what its lines are called."""


@dataclass(frozen=True, slots=True)
class Board:
    name: str
    """Of its file, and in its address."""
    title: str
    panels: tuple[Panel, ...]


def _gauge(title: str, *queries: tuple[str, str], unit: str = "short") -> Panel:
    return Panel(title, unit, queries)


def _rate(title: str, metric: str, by: str = "", unit: str = "ops") -> Panel:
    grouped = f" by ({by})" if by else ""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",")) if by else "all"
    return Panel(title, unit, ((f"sum{grouped} (rate({metric}{RATE}))", legend),))


def _times(title: str, metric: str, by: str = "") -> Panel:
    grouped, label = (f"le, {by}", f" {{{{{by}}}}}") if by else ("le", "")
    rate = f"sum by ({grouped}) (rate({metric}_bucket{RATE}))"
    return Panel(
        title, "s", tuple((f"histogram_quantile({quantile}, {rate})", f"p{quantile:.0%}"[:-1] + label)
                          for quantile in (0.5, 0.99)),
    )  # fmt: skip


_PROCESSES = 'job=~"gateway|bots|analytics|crm|edge"'

OVERVIEW = Board(
    "overview",
    "Pregão: overview",
    (
        _gauge("Processes there", ("sum by (job) (up)", "{{job}}")),
        _gauge("Sessions, bots, sockets", ("sum(pregao_broker_sessions)", "sessions"), ("sum(pregao_bots)", "bots"),
               ("sum(pregao_edge_sockets)", "sockets")),
        _rate("Orders by outcome", "pregao_orders_total", "outcome"),
        _gauge("Unknown orders, last hour", ('sum(increase(pregao_orders_total{outcome="unknown"}[1h]))', "unknown")),
        _rate("Requests by status", "pregao_edge_request_seconds_count", "status"),
        _gauge("Processor time", (f"sum by (job) (rate(process_cpu_seconds_total{{{_PROCESSES}}}{RATE}))", "{{job}}"),
               unit="percentunit"),
        _gauge("Memory", (f"max by (job) (process_resident_memory_bytes{{{_PROCESSES}}})", "{{job}}"), unit="bytes"),
        _gauge("Dead letters, last day", ("sum by (stream, consumer) (increase(pregao_dead_letters_total[1d]))",
                                          "{{stream}} {{consumer}}")),
    ),
)  # fmt: skip

TRADING = Board(
    "trading",
    "Pregão: trading",
    (
        _gauge("Bots", ("sum by (instance) (pregao_bots)", "{{instance}}")),
        _gauge("Partitions held", ("sum by (instance) (pregao_bot_partitions)", "{{instance}}")),
        _times("Signal to order written down", "pregao_signal_to_order_seconds"),
        _times("Signal to accepted", "pregao_signal_to_accepted_seconds"),
        _rate("Bots' orders by outcome", "pregao_bot_orders_total", "outcome"),
        _rate("Rounds that were late", "pregao_bot_rounds_late_total", "size"),
        _gauge("Who scans", ("sum by (instance) (pregao_scanner_acts)", "{{instance}}")),
        _times("A scan", "pregao_scanner_pass_seconds", "size"),
        _times("From a close to its signals stored", "pregao_scanner_round_seconds"),
        _rate("Signals told", "pregao_scanner_signals_total", "size"),
        _gauge("Signals not decided yet", ("max(pregao_scanner_signals_pending)", "pending")),
        _times("From a close to its verdicts", "pregao_scanner_verdict_lag_seconds"),
        _rate("Verdicts by what told them", "pregao_scanner_verdicts_total", "by"),
        _rate("Trade events in the ledger", "pregao_trades_recorded_total", "state"),
        _times("A batch of the ledger", "pregao_ledger_batch_seconds"),
        _rate("Findings of the audit", "pregao_ledger_findings_total", "fault"),
        _rate("Users whose books the audit could not read", "pregao_ledger_unaudited_total"),
        _rate("Signals in the database", "pregao_scanner_signals_recorded_total"),
        _rate("Scanned candles dropped", "pregao_scanner_candles_not_published_total"),
    ),
)

GATEWAY = Board(
    "gateway",
    "Pregão: gateway",
    (
        _gauge("Sessions", ("sum by (instance) (pregao_broker_sessions)", "{{instance}}")),
        _rate("Links lost and made again", "pregao_broker_reconnects_total"),
        _times("An order, sent to answered", "pregao_order_seconds"),
        _rate("Session ids", "pregao_session_ids_total", "outcome"),
        _rate("Session ids renewed", "pregao_ssid_renewals_total", "outcome"),
        _gauge("Age of the oldest session id", ("max(pregao_ssid_age_seconds)", "oldest"), unit="s"),
        _gauge("Feeds", ("sum by (instance) (pregao_feeds)", "{{instance}}")),
        _gauge("Silence of all feeds", ("max(pregao_feed_silence_seconds)", "silence"), unit="s"),
        _times("Lag of candles", "pregao_feed_lag_seconds"),
        _rate("Candles published", "pregao_candles_total", "kind"),
        _rate("Closed candles dropped", "pregao_closed_candles_dropped_total"),
    ),
)

EDGE = Board(
    "edge",
    "Pregão: edge",
    (
        _gauge("Sockets", ("sum by (instance) (pregao_edge_sockets)", "{{instance}}")),
        _rate("Sockets cut off", "pregao_edge_sockets_cut_total", "reason"),
        _rate("Browsers that came back", "pregao_edge_returns_total", "outcome"),
        _rate("Candles not given to who reads slowly", "pregao_edge_candles_skipped_total"),
        _rate("Requests by route", "pregao_edge_request_seconds_count", "route"),
        _times("Answers", "pregao_edge_request_seconds"),
        _rate("Refused: too many", "pregao_edge_rate_limited_total", "rate, by"),
        _gauge("Memory of a socket", ('sum(process_resident_memory_bytes{job="edge"}) / sum(pregao_edge_sockets)',
                                      "all of the process by its sockets"), unit="bytes"),
    ),
)  # fmt: skip

CRM = Board(
    "crm",
    "Pregão: CRM and analytics",
    (
        _gauge("Age of the outbox", ("max(pregao_crm_outbox_age_seconds)", "oldest"), unit="s"),
        _rate("Published from the outbox", "pregao_crm_published_total"),
        _rate("Entered or left a segment", "pregao_crm_segment_moves_total", "by"),
        _times("Building a segment anew", "pregao_crm_segment_rebuild_seconds"),
        _rate("Imported rows", "pregao_crm_imported_rows_total"),
        _gauge("Campaigns being sent", ("max(pregao_crm_campaigns_sending)", "campaigns")),
        _rate("Recipients of campaigns", "pregao_crm_campaign_recipients_total"),
        _times("A step of a campaign", "pregao_crm_campaign_step_seconds"),
        _gauge("A campaign stands still", ("max(pregao_crm_campaign_idle_seconds)", "longest"), unit="s"),
        _gauge("Contacts on their way", ("max(pregao_crm_workflow_runs)", "runs")),
        _gauge("Longest due run", ("max(pregao_crm_workflow_lag_seconds)", "lag"), unit="s"),
        _rate("Steps of workflows", "pregao_crm_workflow_steps_total", "kind"),
        _rate("Where runs went", "pregao_crm_workflow_walks_total", "to"),
        _times("Claim, walk and commit", "pregao_crm_workflow_pass_seconds"),
        _rate("Runs that events began", "pregao_crm_workflow_entries_total"),
        _rate("Runs whose event came", "pregao_crm_workflow_woken_total"),
        _rate("Mails", "pregao_crm_mails_total", "channel, outcome"),
        _gauge(
            "Mails that wait, and of which nothing is known",
            ("max(pregao_crm_mails_waiting)", "waiting"),
            ("max(pregao_crm_mails_unknown)", "unknown"),
        ),
        _gauge("Mails that are late", ("max(pregao_crm_mail_late_seconds)", "oldest"), unit="s"),
        _times("Handing over a mail", "pregao_crm_mail_seconds", "channel"),
        _rate("Mails seen", "pregao_crm_mails_seen_total", "kind, by"),
        _rate("Posts to webhooks", "pregao_crm_webhook_posts_total", "outcome"),
        _rate("Mails returned", "pregao_crm_mails_returned_total", "kind, by"),
        _times("Requests", "pregao_rpc_seconds", "endpoint"),
        _rate("Answers that are kept", "pregao_answers_total", "source"),
        _rate("Exports", "pregao_exports_total", "state"),
        _rate("Alerts told outside", "pregao_alert_deliveries_total", "sink, outcome"),
        _times("The audit of the ledger", "pregao_ledger_audit_seconds"),
        _times("Counting the scanner's signals", "pregao_scanner_count_seconds"),
    ),
)

NATS = Board(
    "nats",
    "Pregão: NATS",
    (
        _gauge("Connections", ("sum by (server_id) (gnatsd_varz_connections)", "{{server_id}}")),
        _rate("Messages in", "gnatsd_varz_in_msgs", "server_id"),
        _rate("Messages out", "gnatsd_varz_out_msgs", "server_id"),
        _gauge("Slow consumers", ("sum by (server_id) (gnatsd_varz_slow_consumers)", "{{server_id}}")),
        _gauge("Memory", ("sum by (server_id) (gnatsd_varz_mem)", "{{server_id}}"), unit="bytes"),
        _gauge("Stored, by stream", ("max by (stream_name) (jetstream_stream_total_bytes)", "{{stream_name}}"),
               unit="bytes"),
        _gauge("Not delivered yet", ("max by (stream_name, consumer_name) (jetstream_consumer_num_pending)",
                                     "{{stream_name}} {{consumer_name}}")),
        _rate("Handed back", "pregao_redeliveries_total", "stream, consumer"),
        _rate("Set aside", "pregao_dead_letters_total", "stream, consumer"),
        _rate("Errors the client reported", "pregao_bus_errors_total", "kind"),
        _rate("Not sent while away", "pregao_bus_not_sent_total"),
        _rate("Not decodable", "pregao_bus_undecodable_total", "type"),
    ),
)  # fmt: skip

BOARDS = (OVERVIEW, TRADING, GATEWAY, EDGE, CRM, NATS)
