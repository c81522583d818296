"""The user's own library: files in, sources, passages and trial arms out, each in rows of the store."""
