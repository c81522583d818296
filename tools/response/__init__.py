"""The response engine: model-based meta-analysis of published trial arms, and the tools that ask it."""
