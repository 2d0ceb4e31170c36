"""The whole machine by networks: fetch, operand reads, subtraction, write-back and branch."""
