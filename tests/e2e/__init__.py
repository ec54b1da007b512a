"""The installed command in a child process, with curl, openssl and Chromium as its clients."""
