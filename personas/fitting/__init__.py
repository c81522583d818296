"""Archetypes learned from tables of patients: read, check, count, fit. Rows are never kept."""
