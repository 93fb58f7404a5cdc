"""The CRM (api-contract §3.17, §3.18, §4.10), for administrators: handed on to crm, put into the clients' envelopes."""
