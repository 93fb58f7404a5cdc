"""How well trades went, in the field's figures: pure functions of sums, which the database makes.

A figure that is not defined, such as a ratio to nothing, is None and never infinite. Rates are in percent.
"""
