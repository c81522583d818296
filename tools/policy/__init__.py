"""From a coverage rule to starters, their response, what it costs and the clinic visits: one chain on the same draws."""
