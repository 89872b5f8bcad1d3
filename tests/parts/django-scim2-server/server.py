"""django-scim2-server, which is an application for Django, as a server: for the tests. What it makes of requests is its own.

TOKEN is the bearer token; ../serve_django.py says what else a server of the tests does.
"""

import os
import sys
import types

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import django
from django.conf import settings

import serve_django

here = types.ModuleType("here")
here.has_token = lambda request: request.headers.get("Authorization") == f"Bearer {os.environ['TOKEN']}"
sys.modules["here"] = here
settings.configure(
    ALLOWED_HOSTS=["*"],
    APPEND_SLASH=False,
    DATABASES=serve_django.DATABASES,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_scim2_server"],
    ROOT_URLCONF="here",
    SCIM2_SERVER_AUTH_CHECK="here.has_token",
    SECRET_KEY="only for tests",
    USE_TZ=True,
)
django.setup()

from django.urls import include, path

here.urlpatterns = [path("scim/v2/", include("django_scim2_server.urls"))]
serve_django.serve()
