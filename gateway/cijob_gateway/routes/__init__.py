"""The HTTP routes, a noun each: they parse, ask for rights, call a part, and answer."""
