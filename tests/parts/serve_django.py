"""Serves an application for Django: for the tests.

The first line on stdout is JSON: {"base"}. Users and groups lie in a database that goes with the process, which ends when
its stdin closes, so that it never outlives whatever started it.
"""

import json
import os
import shutil
import socketserver
import sys
import tempfile
import threading
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

data = tempfile.mkdtemp(prefix="django-")
# What settings are to say of the database.
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.path.join(data, "people.sqlite"),
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


def end():
    sys.stdin.buffer.read()
    shutil.rmtree(data, ignore_errors=True)
    os._exit(0)


def serve():
    """Makes the tables of what is set up, and answers until standard input ends."""
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    call_command("migrate", run_syncdb=True, verbosity=0)
    server = make_server("127.0.0.1", 0, get_wsgi_application(), server_class=Server, handler_class=Quiet)
    print(json.dumps({"base": f"http://127.0.0.1:{server.server_port}/scim/v2"}), flush=True)
    threading.Thread(target=end, daemon=True).start()
    server.serve_forever()
