"""What `purge_expired` takes of groups."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from accounts.tests.rest import device_of, make_user
from groups.models import Invitation, JoinRequest
from groups.tests.people import invite, join

pytestmark = pytest.mark.django_db


def test_old_invitations_go_unless_somebody_waits_by_them(circle):
    owner = circle.device("owner")
    for fields in ({}, {}, {"needs_approval": True}, {}):
        token = invite(owner, circle, **fields)
        if fields:
            assert join(device_of(make_user()), token).status_code == 202
    expired, revoked, waited_for, fresh = Invitation.objects.order_by("id")
    long_ago = timezone.now() - timedelta(days=100)
    for invitation, field in (
        (expired, "expires_at"),
        (revoked, "revoked_at"),
        (waited_for, "expires_at"),
    ):
        Invitation.objects.filter(id=invitation.id).update(**{field: long_ago})
    call_command("purge_expired")
    assert set(Invitation.objects.values_list("id", flat=True)) == {waited_for.id, fresh.id}
    assert JoinRequest.objects.count() == 1
