-- +goose NO TRANSACTION
-- +goose Up
-- Every topic type and id that was told of, with the subject that it belongs to: what compliance is asked about. The rule is
-- in docs/compliance.md. An id that a person or a pack calls a baseline is one, whatever else was said of it.
CREATE VIEW IF NOT EXISTS subject_types AS
WITH
    called AS (SELECT topic_id FROM topic_titles FINAL WHERE deleted = 0 AND kind = 'baseline')
SELECT
    multiIf(topic_type IN (400, 401, 402, 500) AND (topic_id IN (called) OR has(types, 401) AND NOT hasAny(types, [400, 500])), 'baseline',
            topic_type IN (400, 401, 402, 500), 'update',
            topic_type IN (300, 301, 302), 'deployment',
            topic_type = 501, 'scan',
            'other') AS kind,
    topic_id,
    topic_type,
    types,
    first_seen,
    origin
FROM
(
    SELECT topic_id, groupArray(one.topic_type) AS types, groupArray((one.topic_type, one.seen, one.from)) AS told
    FROM
    (
        SELECT topic_type, topic_id, min(subject_seen.first_seen) AS seen, max(subject_seen.origin) AS from
        FROM subject_seen
        GROUP BY topic_type, topic_id
    ) AS one
    GROUP BY topic_id
)
ARRAY JOIN told.1 AS topic_type, told.2 AS first_seen, told.3 AS origin;
