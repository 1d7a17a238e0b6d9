"""One module per verb: where a transaction begins and ends."""
