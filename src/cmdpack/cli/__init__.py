"""The verbs of the command line, one a file, and `app`, which finds them."""
