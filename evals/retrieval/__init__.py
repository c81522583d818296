"""Does the retriever find what it should? Public question sets, scored for words, meaning and both together."""
