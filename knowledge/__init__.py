"""What has been published, and where it says so: sources, trial arms, passages, retrieval."""
