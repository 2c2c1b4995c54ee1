"""Contacts, groups and moderation."""

from chatbe.settings.declare import section, setting

section("Contacts", intro="See [contacts](contacts.md) for what people see of them.")

CONTACT_POLICY = setting(
    "CONTACT_POLICY",
    str,
    "mutual",
    "`mutual` or `request`",
    "whether adding somebody makes both contacts at once, or asks them first",
)
CONTACT_REQUESTS_PER_USER = setting(
    "CONTACT_REQUESTS_PER_USER",
    str,
    "50/hour",
    "count/window",
    "how often one user may add or ask somebody, whether or not that succeeds",
)
CONTACT_REQUEST_PAUSE_DAYS = setting(
    "CONTACT_REQUEST_PAUSE_DAYS",
    int,
    30,
    "days",
    "somebody whose request was declined reaches the same person again only after so long",
)
USER_SEARCHES_PER_USER = setting(
    "USER_SEARCHES_PER_USER",
    str,
    "600/hour",
    "count/window",
    "how often one user may look people up by name",
)

section("Groups", intro="See [groups](groups.md) for what people see of them.")

GROUP_MEMBERS_MAX = setting(
    "GROUP_MEMBERS_MAX",
    int,
    1_024,
    "members",
    "the most a group may have; tried with 10,000",
)
GROUPS_PER_USER = setting(
    "GROUPS_PER_USER",
    str,
    "30/hour",
    "count/window",
    "how many groups one user may make",
)
GROUP_ADDS_PER_USER = setting(
    "GROUP_ADDS_PER_USER",
    str,
    "2000/hour",
    "count/window",
    "how many people one user may put into groups",
)
GROUP_ADDS_PER_PAIR = setting(
    "GROUP_ADDS_PER_PAIR",
    str,
    "5/hour",
    "count/window",
    "how often one user may put the same person into groups",
)
GROUP_ADDS_PER_ADDED = setting(
    "GROUP_ADDS_PER_ADDED",
    str,
    "20/hour",
    "count/window",
    "how often one person may be put into groups, by all others together",
)
INVITATION_ATTEMPTS_PER_USER = setting(
    "INVITATION_ATTEMPTS_PER_USER",
    str,
    "100/hour",
    "count/window",
    "how often one user may look at an invitation or join by one, whether or not that succeeds",
)

section("Moderation", intro="See [moderation](moderation.md).")

REPORTS_PER_USER = setting(
    "REPORTS_PER_USER",
    str,
    "20/hour",
    "count/window",
    (
        "how often one user may report a message or somebody; the same once more while it is "
        "open does not count"
    ),
)
EVIDENCE_DAYS = setting(
    "EVIDENCE_DAYS",
    int,
    90,
    "days",
    (
        "how long reports keep what people wrote, from when they were made; 0 is for ever "
        "([moderation](moderation.md#how-long-evidence-is-kept))"
    ),
    production="`apply_retention` once a day",
)
BREAK_GLASS_SECONDS = setting(
    "BREAK_GLASS_SECONDS",
    int,
    1_800,
    "seconds",
    "how long a moderator who has said why may read a conversation before they are asked again",
)
