"""Demand forecast: statistical models chosen by backtest, conformal intervals, and hierarchies that add up."""
