"""What has been written: the `search_literature` tool."""
