"""Sessions to the broker: market data, balances, orders and their settlement."""
