"""Who a cohort is: the `describe_cohort` tool."""
