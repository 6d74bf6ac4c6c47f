"""What carries a plan out: one engine a file, each with a `run` that turns a `Plan` into events."""
