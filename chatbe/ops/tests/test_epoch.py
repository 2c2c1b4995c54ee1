"""What an operator says after restoring a backup."""

import pytest
from django.core.management import call_command

from common.models import Installation


@pytest.mark.django_db
def test_every_bump_is_another_epoch_also_in_a_database_that_has_none():
    Installation.objects.all().delete()
    epochs = set()
    for _ in range(3):
        call_command("bump_epoch")
        epochs.add(Installation.current_epoch())
    assert len(epochs) == 3
    assert Installation.objects.count() == 1
