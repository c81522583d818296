"""The response engine on any table of published arms: read, fit, hold out, and compare with its rivals."""
