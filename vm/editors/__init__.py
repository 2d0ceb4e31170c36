"""What editors speak to: the messages that a language server and a debug adapter exchange, and the two themselves."""
