"""Market access: who is covered, who starts, who stays on, and what people choose."""
