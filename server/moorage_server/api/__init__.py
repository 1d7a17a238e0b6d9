"""gRPC in and out: decode, call a use case, encode. No SQL, no rules."""
