"""Why something failed: one rule a function, in files by what they look at."""
