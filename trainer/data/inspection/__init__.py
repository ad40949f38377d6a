"""A finished set, looked at: what it says it holds, whether it does, and a sheet of its films."""
