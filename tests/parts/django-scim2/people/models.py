from django.contrib.auth.models import AbstractUser
from django.db import models
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class Team(AbstractSCIMGroupMixin):
    name = models.CharField(max_length=80, unique=True)


class Person(AbstractSCIMUserMixin, AbstractUser):
    scim_groups = models.ManyToManyField(Team, related_name="user_set")
