"""Adherence and persistence: what refill records tell, and how many stay on a treatment and take how much of it."""
