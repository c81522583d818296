"""Is it right? Cases, scorers, runner, report."""
