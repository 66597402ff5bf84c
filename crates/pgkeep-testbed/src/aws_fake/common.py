"""What the services share."""


class Refused(Exception):
    """What a service answers instead of a result."""

    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.status = code, status
