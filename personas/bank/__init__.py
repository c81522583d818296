"""The bank of cohorts: list, search, compare, match with trials, export, import."""
