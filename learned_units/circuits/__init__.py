"""What is computed: templates wired into passes; no weights."""
