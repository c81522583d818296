"""Dose finding in phase I: the 3+3 rule exactly, the Bayesian optimal interval design by simulation."""
