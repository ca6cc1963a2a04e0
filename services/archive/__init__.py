"""A whole archive: its files are found, read, asked about several at a time, written down and summed up."""
