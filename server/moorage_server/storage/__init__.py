"""All SQL and nothing else: tables, statements, transactions, error translation."""
