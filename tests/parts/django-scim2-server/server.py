"""django-scim2-server, which is an application for Django, as a server: for the tests. What it makes of requests is its own.

The first line on stdout is JSON: {"base"}. TOKEN is the bearer token. Users and groups lie in a database that goes with
the process, which ends when its stdin closes, so that it never outlives whatever started it.
"""

import json
import os
import shutil
import socketserver
import sys
import tempfile
import threading
import types
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

data = tempfile.mkdtemp(prefix="django-scim2-server-")
here = types.ModuleType("here")
here.has_token = lambda request: request.headers.get("Authorization") == f"Bearer {os.environ['TOKEN']}"
sys.modules["here"] = here
settings.configure(
    ALLOWED_HOSTS=["*"],
    APPEND_SLASH=False,
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.path.join(data, "people.sqlite"),
            "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
        }
    },
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_scim2_server"],
    ROOT_URLCONF="here",
    SCIM2_SERVER_AUTH_CHECK="here.has_token",
    SECRET_KEY="only for tests",
    USE_TZ=True,
)
django.setup()

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

here.urlpatterns = [path("scim/v2/", include("django_scim2_server.urls"))]
call_command("migrate", run_syncdb=True, verbosity=0)


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


server = make_server("127.0.0.1", 0, get_wsgi_application(), server_class=Server, handler_class=Quiet)
print(json.dumps({"base": f"http://127.0.0.1:{server.server_port}/scim/v2"}), flush=True)


def end():
    sys.stdin.buffer.read()
    shutil.rmtree(data, ignore_errors=True)
    os._exit(0)


threading.Thread(target=end, daemon=True).start()
server.serve_forever()
