"""Contacts and what is sent to them (api-contract §3.17, §3.18, §4.10): the messages and RPC endpoints of crm."""
