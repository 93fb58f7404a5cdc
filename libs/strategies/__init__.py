"""Strategies over panels of candles: pure numpy, no I/O, no clock; the same code live, scanning and backtesting.
Those of users run in a process of their own (sandbox.py)."""
