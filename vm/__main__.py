"""The command `sbn` as a process: Ctrl-C is noted before anything else is imported, and until the process has ended."""

import sys

from learned_units import interrupts


def main() -> int:
    """Run `sbn` with the process's arguments. Returns the exit code."""
    interrupts.note()
    from vm import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
