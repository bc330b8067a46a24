-- Topic ids that changed since the summary, counted anew, unless they stand there just so.
INSERT INTO subject_now (topic_type, topic_id, states, clients, oldest, newest, codes, version)
WITH
    per_state AS
    (
        SELECT topic_type, topic_id, state_id, count() AS held, min(message_time) AS first_time,
            max(message_time) AS last_time, CAST([], 'Array(String)') AS top
        FROM current_states
        WHERE topic_type != 301 AND (topic_type, topic_id) IN (SELECT topic_type, topic_id FROM subjects_changed)
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
        GROUP BY topic_type, topic_id, state_id
        UNION ALL
        SELECT topic_type, topic_id, state_id, count() AS held, min(message_time) AS first_time,
            max(message_time) AS last_time,
            topKIf(3)(arrayFirst(p -> match(p, '^0[xX][89A-Fa-f][0-9A-Fa-f]{7}$'), params),
                      arrayExists(p -> match(p, '^0[xX][89A-Fa-f][0-9A-Fa-f]{7}$'), params)) AS top
        FROM current_states
        WHERE topic_type = 301 AND topic_id IN (SELECT topic_id FROM subjects_changed WHERE topic_type = 301)
          AND client_id NOT IN (SELECT client_id FROM retired_clients)
        GROUP BY topic_type, topic_id, state_id
    ),
    counted AS
    (
        SELECT topic_type, topic_id, arraySort(groupArray((state_id, held, first_time, last_time, top))) AS all_states
        FROM per_state
        GROUP BY topic_type, topic_id
    )
SELECT
    topic_type, topic_id, all_states.1 AS states, all_states.2 AS clients, all_states.3 AS oldest,
        all_states.4 AS newest, all_states.5 AS codes,
    (SELECT max(version) FROM subject_now) + 1
FROM counted
WHERE sipHash64(topic_type, topic_id, states, clients, oldest, newest, codes) NOT IN
(
    SELECT sipHash64(topic_type, topic_id, subject_now.states, subject_now.clients, subject_now.oldest,
        subject_now.newest, subject_now.codes)
    FROM subject_now FINAL
    WHERE (topic_type, topic_id) IN (SELECT topic_type, topic_id FROM subjects_changed)
)
