"""The stats query: its parameters, its form as plain data, and how it is read from texts; loads no engine."""
