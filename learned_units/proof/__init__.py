"""Why it is right: every input enumerated, bounds, and operands compared with exact integers."""
