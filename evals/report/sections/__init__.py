"""The sections of the report, each from the contents alone."""
