"""The commands of `sbn`, one module each: `run(options) -> exit code`."""
