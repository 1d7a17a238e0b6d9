"""A Kubernetes API server in this process, over real TLS, that can also misbehave."""
