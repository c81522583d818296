"""Adverse events: competing risks, harms that the trials report, and suppression of the bone marrow by a drug."""
