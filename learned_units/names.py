"""Names that users give and that more than one module has to know. Importing this imports nothing else."""

ISAS = ("sbn", "subleq")
TASKS = ("permute", "add", "subtract", "multiply")  # outside the machine
