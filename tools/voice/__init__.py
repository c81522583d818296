"""Voices of a cohort: choices from published stated preferences, and what virtual patients say of themselves."""
