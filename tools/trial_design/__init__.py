"""Trial design: sample size, power, interim looks, two-stage and enrichment designs, external controls, assurance."""
