"""Grafana's files, made of deploy/observability/boards.py by `make settings`."""

import json
from pathlib import Path
from typing import Any

from deploy.observability.boards import BOARDS, Board, Panel

DIRECTORY = Path(__file__).parent / "grafana" / "dashboards"

_DATASOURCE = {"type": "prometheus", "uid": "pregao"}
_COLUMNS, _WIDTH, _HEIGHT = 3, 8, 8


def file(board: Board) -> Path:
    return DIRECTORY / f"{board.name}.json"


def text(board: Board) -> str:
    made = {
        "uid": f"pregao-{board.name}",
        "title": board.title,
        "tags": ["pregao"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "15s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "utc",
        "panels": [_panel(number, panel) for number, panel in enumerate(board.panels)],
    }
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS)
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _DATASOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": _DATASOURCE, "expr": query, "legendFormat": legend}
            for index, (query, legend) in enumerate(panel.queries)
        ],
    }


def write() -> None:
    for board in BOARDS:
        file(board).write_text(text(board))
