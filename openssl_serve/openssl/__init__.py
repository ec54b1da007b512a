"""The door to the openssl program: finding it, telling flavours apart, what it is asked."""
