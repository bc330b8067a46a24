-- +goose NO TRANSACTION
-- +goose Up
-- A row per topic id and state that clients are in: the summary's, but for topic ids that changed since. How many states
-- are counted anew is bounded: a topic id of many clients may be as old as the summary, seconds or a minute. Retired
-- clients count in neither.
DROP VIEW IF EXISTS subject_states;
CREATE VIEW IF NOT EXISTS subject_states AS
SELECT topic_type, topic_id, entry.1 AS state_id, entry.2 AS clients, entry.3 AS oldest, entry.4 AS newest, entry.5 AS codes
FROM
(
    SELECT topic_type, topic_id, arrayZip(subject_now.states, subject_now.clients, subject_now.oldest, subject_now.newest, subject_now.codes) AS entries
    FROM subject_now FINAL
    WHERE (topic_type, topic_id) NOT IN (SELECT topic_type, topic_id FROM subjects_fresh)
)
ARRAY JOIN entries AS entry
UNION ALL
SELECT topic_type, topic_id, state_id, count() AS clients, min(message_time) AS oldest, max(message_time) AS newest,
    topKIf(3)(arrayFirst(p -> match(p, '^0[xX][89A-Fa-f][0-9A-Fa-f]{7}$'), params),
              topic_type = 301 AND arrayExists(p -> match(p, '^0[xX][89A-Fa-f][0-9A-Fa-f]{7}$'), params)) AS codes
FROM current_states
WHERE (topic_type, topic_id) IN (SELECT topic_type, topic_id FROM subjects_fresh)
  AND client_id NOT IN (SELECT client_id FROM retired_clients)
GROUP BY topic_type, topic_id, state_id;
