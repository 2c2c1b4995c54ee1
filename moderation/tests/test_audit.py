"""The audit log only grows: for Python, for the admin, and for whoever speaks SQL."""

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.tests.rest import make_user
from moderation.models import Action, AuditEntry, Target
from moderation.services.audit import record
from moderation.tests.people import do, make_moderator, make_superuser, page

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def entry():
    record(
        actor=make_user("root"),
        action=Action.USER_BANNED,
        target=(Target.USER, 7),
        reason="spam",
    )
    return AuditEntry.objects.get()


def test_python_adds_and_reads_and_nothing_else(entry):
    rows = AuditEntry.objects.all()
    entry.reason = "nothing"
    for change in (
        entry.save,
        entry.delete,
        rows.delete,
        lambda: rows.update(reason="nothing"),
        lambda: AuditEntry.objects.bulk_update([entry], ["reason"]),
        lambda: AuditEntry.objects.update_or_create(id=entry.id, defaults={"reason": "nothing"}),
    ):
        with pytest.raises(TypeError, match="only grows"), transaction.atomic():
            change()
    assert AuditEntry.objects.get().reason == "spam"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE moderation_auditentry SET reason = 'nothing'",
        "UPDATE moderation_auditentry SET actor_id = 1 WHERE target_id = 7",
        "DELETE FROM moderation_auditentry",
        pytest.param("TRUNCATE moderation_auditentry", marks=pytest.mark.postgres),
        pytest.param(
            "INSERT INTO moderation_auditentry SELECT * FROM moderation_auditentry"
            " ON CONFLICT (id) DO UPDATE SET reason = 'nothing'",
            marks=pytest.mark.postgres,
        ),
        pytest.param(
            "INSERT OR REPLACE INTO moderation_auditentry SELECT * FROM moderation_auditentry",
            marks=pytest.mark.embedded_only,
        ),
    ],
)
def test_the_database_refuses_changes(entry, sql):
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
        connection.cursor().execute(sql)
    assert AuditEntry.objects.get().reason == "spam"


def test_nothing_is_written_outside_of_a_transaction_that_does_it(transactional_db):
    with pytest.raises(transaction.TransactionManagementError):
        record(actor=make_user(), action=Action.USER_BANNED, target=(Target.USER, 7))


def test_nobody_changes_it_in_the_admin(entry):
    for client in (make_superuser(), make_moderator()):
        text = client.get(page(entry)).content.decode()
        assert "spam" in text
        assert "_save" not in text
        for name in ("change", "delete"):
            answer = client.post(page(entry, name), {"reason": "nothing", "post": "yes"})
            assert answer.status_code == 403
        assert client.post(page(AuditEntry, "add"), {"reason": "more"}).status_code == 403
        chosen = {"action": "delete_selected", "_selected_action": entry.pk, "post": "yes"}
        client.post(page(AuditEntry, "changelist"), chosen)
        assert AuditEntry.objects.get().reason == "spam"


def test_what_is_undone_is_not_noted_and_what_cannot_be_noted_is_not_done(monkeypatch):
    moderator, user = make_moderator(), make_user()
    moderator.raise_request_exception = False
    create = AuditEntry.objects.create

    def fail(**_fields):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(AuditEntry.objects, "create", fail)
    assert do(moderator, "ban", user).status_code == 500
    user.refresh_from_db()
    assert user.is_active
    monkeypatch.setattr(AuditEntry.objects, "create", create)
    assert not AuditEntry.objects.exists()
