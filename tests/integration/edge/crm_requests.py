"""Requests to the CRM that are valid, by method and path: what a service is handed, were it there."""

BODIES: dict[str, dict[str, object]] = {
    "POST /api/crm/contacts": {"email": "somebody@example.test"},
    "POST /api/crm/contacts/upsert": {"external_id": "7"},
    "POST /api/crm/contacts/filter": {"rules": {}},
    "PUT /api/crm/contacts/{id}": {"email": "somebody@example.test"},
    "POST /api/crm/contacts/{id}/activities": {"type": "note", "text": "Called"},
    "POST /api/crm/contacts/{id}/consents": {
        "channel": "email",
        "topic": "*",
        "state": "unsubscribed",
        "how": "called",
    },
    "POST /api/crm/contacts/{id}/merge": {"other": "01890a5d-ac96-774b-bcce-b302099a8057"},
    "PUT /api/crm/contacts/import/{id}/pieces/{number}": {"text": "email"},
    "POST /api/crm/custom-fields": {"key": "plan", "label": "Plan", "type": "text"},
    "PUT /api/crm/custom-fields/{key}": {"label": "Plan", "type": "text"},
    "POST /api/crm/suppressions": {"channel": "email", "address": "somebody@example.test"},
    "PUT /api/crm/frequency-caps": {"channel": "email", "per_day": 1, "per_week": 2},
    "POST /api/crm/segments": {"name": "Everybody", "rules": {}},
    "POST /api/crm/segments/preview": {"rules": {}},
    "POST /api/crm/segments/{id}/contacts": {"contacts": ["01890a5d-ac96-774b-bcce-b302099a8057"]},
    "DELETE /api/crm/segments/{id}/contacts": {"contacts": ["01890a5d-ac96-774b-bcce-b302099a8057"]},
    "POST /api/crm/scoring-rules": {"name": "Opened", "event": "mail_opened", "delta": 1},
    "PUT /api/crm/scoring-rules/{id}": {"name": "Opened", "event": "mail_opened", "delta": 1},
    "PUT /api/crm/score-thresholds": {"scores": [50]},
    "POST /api/crm/templates": {"name": "Welcome", "subject": "Welcome", "html": "<p>Hello</p>"},
    "POST /api/crm/campaigns": {
        "name": "News",
        "template_id": "01890a5d-ac96-774b-bcce-b302099a8057",
        "segment_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    },
    "POST /api/crm/campaigns/{id}/schedule": {"at": "2036-01-01T09:00:00Z"},
    "POST /api/crm/campaigns/{id}/winner": {"subject": 0},
    "POST /api/crm/forms": {
        "name": "News",
        "topic": "news",
        "consent_text": "Yes",
        "template_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    },
    "POST /api/crm/public/forms/{id}/submissions": {"email": "somebody@example.test", "consent": True},
    "POST /api/crm/workflows": {"name": "Welcome"},
    "POST /api/crm/workflows/check": {"workflow_definition": {"nodes": [], "edges": []}},
    "POST /api/crm/workflows/{id}/execute": {"contacts": ["01890a5d-ac96-774b-bcce-b302099a8057"]},
    "POST /api/crm/workflows/{id}/dry-run": {"contact": "01890a5d-ac96-774b-bcce-b302099a8057"},
    "POST /api/crm/templates/{id}/test": {"to": "somebody@example.test"},
    "POST /api/crm/webhooks": {"name": "Ours", "url": "https://receiver.example.test/"},
    "POST /api/crm/integrations/{id}/configure": {"settings": {"api_key": "a-key"}},
}
"""Where an empty body is not."""

PATHS = {
    "{key}": "plan",
    "{channel}": "email",
    "{hash}": "0" * 64,
    "{tag}": "vip",
    "{number}": "7",
    "{token}": f"v1.{'0' * 8}.{'0' * 32}.1.{'0' * 32}",
}
"""What can be in their braces, where an id cannot."""
