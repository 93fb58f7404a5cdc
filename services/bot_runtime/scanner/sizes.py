"""The candle sizes that are scanned, in seconds."""

BASE = 10
"""The only feed that is asked for, once per active: every other size is a multiple of it and made of it. The broker
sends every subscribed size with every price, so that eight sizes of 150 actives would be eight times the traffic."""

SIZES = (BASE, 30, 60, 180, 300, 900, 1800, 3600)
"""Of these the broker offers all but 180, whose history is made of candles of a minute."""
