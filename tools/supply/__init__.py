"""Supply and inventory: stock-outs, waste and cost of a way to order, and the best way where it can be computed."""
