"""Deciding: normal forms, the solvers, verdicts, and weakest conditions."""
