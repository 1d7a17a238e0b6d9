"""What tests run against: a real PostgreSQL, a real server, a real channel."""
