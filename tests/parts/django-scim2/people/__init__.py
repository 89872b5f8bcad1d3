import os


class Bearer:
    """Whoever has the token may do everything."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        known = request.headers.get("Authorization") == f"Bearer {os.environ['TOKEN']}"
        request.user = type("Client", (), {"is_anonymous": not known, "is_authenticated": known})()
        return self.get_response(request)
