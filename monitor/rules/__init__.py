"""From what checks measured to verdicts. Pure: evidence, memory and policy in, findings out."""
