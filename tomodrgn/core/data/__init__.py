"""The nouns: a data set, a run and its labels, each read once and handed from verb to verb."""
