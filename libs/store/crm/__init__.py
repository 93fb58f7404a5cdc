"""Tables `crm_*`."""
