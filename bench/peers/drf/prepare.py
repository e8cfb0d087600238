"""Makes the Django peer's database and one user, and prints that user's token."""

import django

django.setup()

from django.conf import settings  # noqa: E402  # Django has to be set up before anything of it
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

settings.MEDIA_ROOT.mkdir(parents=True)
call_command("migrate", run_syncdb=True, verbosity=0)
user = User.objects.create_user("bench", password="bench-password")
print(Token.objects.create(user=user).key)
