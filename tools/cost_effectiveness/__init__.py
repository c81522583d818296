"""Cost-effectiveness: models of cost and effect, and the decision that follows from them."""
