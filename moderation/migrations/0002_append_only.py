"""The database itself refuses to change or remove what is in the audit log.

On SQLite a later migration that alters the table makes it anew, without its triggers: it
has to install them again.
"""

from typing import Any

from django.db import migrations

TABLE = "moderation_auditentry"
FUNCTION = f"""
CREATE FUNCTION moderation_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Emptying what is empty changes nothing.
    IF TG_OP = 'TRUNCATE' AND NOT EXISTS (SELECT FROM {TABLE}) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the audit log only grows' USING ERRCODE = 'restrict_violation';
END
$$"""
ROWS = f"""
CREATE TRIGGER moderation_only_grows BEFORE UPDATE OR DELETE ON {TABLE}
FOR EACH ROW EXECUTE FUNCTION moderation_only_grows()"""
WHOLE = f"""
CREATE TRIGGER moderation_is_not_emptied BEFORE TRUNCATE ON {TABLE}
FOR EACH STATEMENT EXECUTE FUNCTION moderation_only_grows()"""

# On SQLite REPLACE removes a row without a word to the trigger of DELETE.
REFUSED = {
    "UPDATE": "",
    "DELETE": "",
    "INSERT": f"WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id)",  # noqa: S608 - our own
}


def install(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for statement in (FUNCTION, ROWS, WHOLE):
            schema_editor.execute(statement, params=None)
        return
    for event, when in REFUSED.items():
        schema_editor.execute(
            f"CREATE TRIGGER moderation_no_{event.lower()} BEFORE {event} ON {TABLE} {when}"
            " BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"
        )


def remove(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP FUNCTION moderation_only_grows CASCADE")
        return
    for event in REFUSED:
        schema_editor.execute(f"DROP TRIGGER moderation_no_{event.lower()}")


class Migration(migrations.Migration):
    dependencies = [("moderation", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
