"""Does the data agree with its metadata? The input contract, and tests of its assumptions."""
