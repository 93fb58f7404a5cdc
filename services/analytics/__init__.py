"""The ledger: every trade event into the database, exactly once, acknowledged after the commit."""
