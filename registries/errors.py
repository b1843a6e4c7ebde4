"""What goes wrong with registries and downloads."""


class DownloadError(Exception):
    """A server did not give what it was asked for, or did not take what it was sent; the text says why."""


class NotThereError(DownloadError):
    """The server has nothing at the address."""
