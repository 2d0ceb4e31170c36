"""The debugger: a session that knows no terminal, one table of commands; shell and screen are two ways to meet them."""
