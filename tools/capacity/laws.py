"""The distributions of durations, by number, as compiled code takes them."""

from __future__ import annotations

FIXED, EXPONENTIAL, LOGNORMAL, GAMMA, EMPIRICAL, NEVER = range(6)
