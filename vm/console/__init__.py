"""Where the commands meet the terminal: starting them, what they say, the files they read and write."""
