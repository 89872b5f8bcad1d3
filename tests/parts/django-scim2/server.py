"""django-scim2, which is a library, as a server: for the tests. What it makes of requests is its own.

TOKEN is the bearer token; ../serve_django.py says what else a server of the tests does.
"""

import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
sys.path.append(os.path.dirname(here))

import django
from django.conf import settings

import serve_django

settings.configure(
    ALLOWED_HOSTS=["*"],
    AUTH_USER_MODEL="people.Person",
    DATABASES=serve_django.DATABASES,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_scim", "people"],
    MIDDLEWARE=["people.Bearer"],
    ROOT_URLCONF="people.urls",
    SCIM_SERVICE_PROVIDER={
        "AUTHENTICATION_SCHEMES": [{"type": "oauthbearertoken", "name": "Bearer", "description": "A token"}],
        "GROUP_MODEL": "people.models.Team",
        "NETLOC": "localhost",
        "SCHEME": "http",
    },
    SECRET_KEY="only for tests",
    USE_TZ=True,
)
django.setup()
serve_django.serve()
