"""Population forecasts: how many people will be in which state or line of therapy, and what care they need."""
