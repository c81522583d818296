"""A chat model of one's own for one therapeutic area: a training set from the offline planner, and LoRA on a local model."""
