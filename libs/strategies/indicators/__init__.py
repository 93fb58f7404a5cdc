"""Indicators over many series at once, in two forms that say the same.

Batch: functions on arrays of series × time, oldest first, as a panel's `close`. Unrounded; NaN while an indicator warms
up. A series may begin with NaN, where it has no candles yet: it then warms up from its first candle on. What depends on
all candles before (exponential and Wilder means) begins with the first candle of the array, so that the same candles
always give the same numbers, whoever computes them and since when. `last` asks for the last columns alone, which a
strategy needs and which cost a tenth.

Streaming: a class per indicator with a state per series and `update`, which takes the next candle of each series
(arrays of one entry per series; NaN where a series has none this time, which leaves its state as it is) and gives what
the batch form gives in the column of that candle when the array begins with the first candle the state was given. Its
cost does not depend on how many candles went before. Unlike a panel's window a state never forgets its first candle:
fed with more candles than a window holds, means that reach back for ever differ from the batch over the window by what
the window has dropped (of RSI 14 over 200 candles: 1e-6 of the mean).
"""
