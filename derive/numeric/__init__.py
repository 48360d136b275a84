"""Numeric oracles: naive loops in exact arithmetic, and PyTorch where it is installed.

Nothing here knows the symbolic side of the project; that is what makes the oracles worth asking.
"""
