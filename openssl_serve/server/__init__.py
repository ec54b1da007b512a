"""The polyglot server: one port, one loop, HTTP and TLS. Knows neither certificates nor openssl."""
