"""Who the cohort is: archetypes, inheritance, sub-cohorts, virtual patients."""
