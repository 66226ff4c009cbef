"""The explorer over HTTP, to this host alone. Needs starlette and uvicorn (extra `[app]`)."""
