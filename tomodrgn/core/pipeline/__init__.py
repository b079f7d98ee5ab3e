"""One function per verb: prepare, train, analyze, score and so on, each in a module of its own.

Commands import the verb that they call, and nothing else: torch, pandas and matplotlib take
seconds to import. The work is done in the rooms below.
"""
