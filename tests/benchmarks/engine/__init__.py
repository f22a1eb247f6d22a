"""The engine against other ways of running the same conversations on the same processor.

Every side is given the same prompts, lengths, threads and dtype. The engine is a process that is only asked by HTTP.
"""
