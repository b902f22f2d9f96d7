"""Where samples come from. Sources do not know each other."""
