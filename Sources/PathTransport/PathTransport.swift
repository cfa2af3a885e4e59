// PathTransport: see docs/architecture.md.
