-- The append: the one way into a log. Called by conversations/log/append.py, which says
-- what the columns mean. Isolation must be READ COMMITTED.
CREATE OR REPLACE FUNCTION conversations_append(
    p_ids bigint[],
    p_conversations bigint[],
    p_senders bigint[],
    p_client_ids text[],
    p_digests bytea[],
    p_texts text[],
    p_replies bigint[],
    p_created_at timestamptz
) RETURNS TABLE (draft bigint, outcome text, id bigint, seq bigint, number bigint)
LANGUAGE plpgsql VOLATILE
-- Whoever waits longer is put aside, so that others need not wait with them (writer.py).
SET lock_timeout = '1s'
-- A plan made while the table was small would scan it for ever after.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
-- Planning it for the lengths of each call's arrays would cost more than running it.
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    v_slow boolean;
BEGIN
    -- 1. Lock the conversations, always in the same order.
    SELECT bool_or(l.slow_seconds > 0) INTO v_slow
    FROM (
        SELECT c.slow_seconds
        FROM conversations_conversation c
        WHERE c.id = ANY (p_conversations)
        ORDER BY c.id
        FOR NO KEY UPDATE
    ) l;

    -- In slow mode a send changes its sender's membership. Those are locked by their ids as
    -- well, as receipts do, which take no lock of a conversation.
    IF v_slow THEN
        PERFORM 1
        FROM conversations_membership s
        WHERE (s.conversation_id, s.user_id) IN (
            SELECT * FROM unnest(p_conversations, p_senders)
        )
        ORDER BY s.id
        FOR NO KEY UPDATE;
    END IF;

    -- 2. A new statement sees what was committed before the locks were ours: a member
    -- who was removed meanwhile must not post.
    RETURN QUERY
    WITH checked AS MATERIALIZED (
        SELECT
            d.draft, d.id, d.conversation_id, d.sender_id, d.client_id, d.digest, d.text,
            d.reply_to, m.id AS known_id, m.digest AS known_digest,
            c.last_seq, c.message_count, s.slow_until,
            CASE WHEN s.role = 'member' THEN c.slow_seconds ELSE 0 END AS pause,
            CASE
                WHEN m.id IS NOT NULL AND m.digest <> d.digest THEN 'reused'
                -- It was sent and is one message for ever; what became of it only who
                -- can see it learns.
                WHEN m.id IS NOT NULL AND (s.id IS NULL OR m.seq < s.visible_from)
                    THEN 'out_of_sight'
                WHEN m.id IS NOT NULL THEN 'known'
                WHEN s.id IS NULL THEN 'absent'
                WHEN c.closed_at IS NOT NULL THEN 'closed'
                WHEN NOT s.may_send OR (c.announcement_only AND s.role = 'member')
                    THEN 'read_only'
                WHEN d.reply_to NOT BETWEEN s.visible_from AND c.last_seq THEN 'bad_reply'
                ELSE 'stored'
            END AS outcome
        FROM unnest(p_ids, p_conversations, p_senders, p_client_ids, p_digests, p_texts,
                    p_replies) WITH ORDINALITY
            AS d (id, conversation_id, sender_id, client_id, digest, text, reply_to, draft)
        LEFT JOIN conversations_message m
            ON m.conversation_id = d.conversation_id
            AND m.sender_id = d.sender_id
            AND m.client_id = d.client_id
        LEFT JOIN conversations_membership s
            ON s.conversation_id = d.conversation_id
            AND s.user_id = d.sender_id
            AND s.left_seq IS NULL
        LEFT JOIN conversations_conversation c ON c.id = d.conversation_id
    ),
    -- In slow mode: how long the sender has to wait, in seconds. The first of a batch begins
    -- the pause that its others run into.
    paced AS MATERIALIZED (
        SELECT checked.*,
            CASE
                WHEN checked.pause = 0 OR checked.outcome <> 'stored' THEN 0
                WHEN checked.slow_until > p_created_at
                    THEN extract(epoch FROM checked.slow_until - p_created_at)
                WHEN row_number() OVER (
                    PARTITION BY checked.conversation_id, checked.sender_id, checked.outcome
                    ORDER BY checked.draft
                ) > 1 THEN checked.pause
                ELSE 0
            END AS wait
        FROM checked
    ),
    numbered AS MATERIALIZED (
        SELECT paced.*, row_number() OVER (PARTITION BY paced.conversation_id
                                           ORDER BY paced.draft) AS step
        FROM paced
        WHERE paced.outcome = 'stored' AND paced.wait = 0
    ),
    inserted AS (
        INSERT INTO conversations_message (
            id, conversation_id, seq, changed_seq, number, sender_id, client_id, digest,
            kind, text, reply_to, created_at
        )
        SELECT
            n.id, n.conversation_id, n.last_seq + n.step, n.last_seq + n.step,
            n.message_count + n.step, n.sender_id, n.client_id, n.digest, 'text', n.text,
            n.reply_to, p_created_at
        FROM numbered n
    ),
    bumped AS (
        UPDATE conversations_conversation c
        SET last_seq = c.last_seq + t.added, message_count = c.message_count + t.added
        FROM (
            SELECT n.conversation_id, max(n.step) AS added
            FROM numbered n GROUP BY n.conversation_id
        ) t
        WHERE c.id = t.conversation_id
    ),
    slowed AS (
        UPDATE conversations_membership s
        SET slow_until = p_created_at + n.pause * interval '1 second'
        FROM numbered n
        WHERE n.pause > 0 AND s.conversation_id = n.conversation_id
            AND s.user_id = n.sender_id
    )
    SELECT n.draft, n.outcome, n.id, n.last_seq + n.step, n.message_count + n.step
    FROM numbered n
    UNION ALL
    SELECT k.draft, CASE WHEN k.wait > 0 THEN 'slow' ELSE k.outcome END, k.known_id,
        NULL::bigint, ceil(k.wait)::bigint
    FROM paced k
    WHERE k.outcome <> 'stored' OR k.wait > 0;
END
$$;
