"""Names of objects: relative paths that cannot leave their store."""


def checked(name: str) -> str:
    """The name, if it is one. Raises ValueError where it is empty, absolute, or holds ``.``, ``..`` or a blank part."""
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise ValueError(f"not the name of an object: {name!r}")
    return name
