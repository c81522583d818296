"""One question in, one grounded answer out."""
