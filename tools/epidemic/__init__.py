"""Epidemics: how an infection spreads through groups, who is hit, and whom to protect first."""
