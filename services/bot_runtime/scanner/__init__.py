"""The market scanner: every strategy over every tradable active and candle size, at each close."""
