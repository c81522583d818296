"""Simulate and forecast: one declaration a tool, one shape of result."""
